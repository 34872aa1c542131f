// What a process has for its standard input is not for it to write to.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { planFeatures } from '#engine/self-test.ts';
import { makeEngines } from '#helper/self-test.ts';
import { findUser, isRoot } from '../support/machine.ts';
import { makePlace, type Place } from '../support/sandbox.ts';

let place: Place;
before(() => {
  place = makePlace(findUser());
});
after(() => place?.remove());

test('an input that is the standard input as well stays as it is, where the kernel sees to it', async () => {
  const work = place.makeFolder('work');
  const input = join(place.makeFolder('inputs'), 'input');
  writeFileSync(input, 'input\n');
  if (isRoot) chownSync(input, place.user.uid, place.user.gid);
  const query = planFeatures(place.tools.launcher);
  const features = query.parse({ ...(await place.run(query)), exit: { code: 0, signal: null } });
  for (const engine of makeEngines(place.tools, features).filter(each => each.rules.inputs === 'kernel')) {
    const { argv, env, cwd } = engine.planCommand(
      {
        rootfs: place.rootfs,
        binds: [
          { host: work, guest: '/w', writable: true },
          { host: input, guest: '/in/input', writable: false },
        ],
        cwd: '/w',
        env: { PATH: '/bin' },
        argv: ['/bin/sh', '-c', 'cat; echo more >>/in/input; echo more >/dev/stdin; echo said'],
        network: false,
      },
      place.makeFolder(`temporary-${engine.name}`),
    );
    const stdin = openSync(input, 'r');
    const ids = isRoot ? { uid: place.user.uid, gid: place.user.gid } : {};
    const options = { env, cwd, ...ids, stdio: [stdin, 'pipe', 'pipe'] as [number, 'pipe', 'pipe'] };
    const { stdout } = spawnSync(argv[0] as string, argv.slice(1), { ...options, encoding: 'utf8' });
    closeSync(stdin);
    assert.equal(stdout, 'input\nsaid\n', engine.name);
    assert.equal(readFileSync(input, 'utf8'), 'input\n', engine.name);
  }
});
