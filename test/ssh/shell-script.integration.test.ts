import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { markScript, planShell, planTerminalShell, toScript } from '#ssh/shell-script.ts';

const shells = ['sh', 'bash', 'tcsh', 'fish'].filter(shell => spawnSync(shell, ['-c', 'exit 0']).status === 0);
const awkward = `it's "quoted" \\ ! $HOME \`x\` é`;

for (const shell of shells) {
  test(`${shell} hands the script to /bin/sh, and the rest of its input to the script`, () => {
    const script = markScript(`printf '%s' "$0"; ${toScript(['printf', '%s', awkward]).slice(5)}; cat`, 'mark');
    const input = Buffer.concat([script, Buffer.from('input')]);
    const result = spawnSync(shell, ['-c', planShell(script)], { input, encoding: 'utf8' });
    assert.equal(result.stdout, `mark\n/bin/sh${awkward}input`);
  });

  test(`${shell} hands a terminal's script to /bin/sh as it stands`, () => {
    const line = planTerminalShell(toScript(['printf', '%s', awkward]));
    assert.equal(spawnSync(shell, ['-c', line], { encoding: 'utf8' }).stdout, awkward);
  });
}
