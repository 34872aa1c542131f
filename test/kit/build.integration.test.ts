// The static programs in the repository are what the build script makes of their sources.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isRoot, needPackages } from '../support/machine.ts';

const native = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'native');

/** Why the exact tools are not here; undefined where they are. */
function findObstacle(): string | undefined {
  if (process.arch !== 'x64') return 'the build is made for a Debian machine of the kind amd64';
  if (!isRoot) return 'only root can install the compilers';
  const wanted = [...readFileSync(join(native, 'toolchain.txt'), 'utf8').matchAll(/^host (\S+) (\S+)$/gm)];
  try {
    needPackages(...wanted.map(([, name]) => name!), 'libc6-dev');
  } catch (error) {
    return String(error);
  }
  for (const [, name, version] of wanted) {
    const status = spawnSync('dpkg', ['-s', name!], { encoding: 'utf8' }).stdout;
    const found = /^Version: (.*)$/m.exec(status)?.[1];
    if (found !== version) return `${name} is ${found} here, and the programs were built with ${version}`;
  }
  return undefined;
}

for (const machine of ['x64', 'arm64']) {
  test(`native/build.sh makes the programs for ${machine} again, byte for byte`, { timeout: 200_000 }, t => {
    const obstacle = findObstacle();
    if (obstacle) return t.skip(obstacle);
    const output = mkdtempSync(join(tmpdir(), 'cwl-native-'));
    try {
      const built = spawnSync(join(native, 'build.sh'), [machine, output], { encoding: 'utf8' });
      if (built.status === 100) return t.skip(`Debian's archive has not the libraries any more: ${built.stderr}`);
      assert.equal(built.status, 0, built.stderr);
      const wanted = readFileSync(join(native, 'bin/SHA256SUMS'), 'utf8')
        .split('\n')
        .filter(line => line.includes(` linux-${machine}/`))
        .map(line => line.replace(`linux-${machine}/`, ''));
      assert.deepEqual(built.stdout.trim().split('\n'), wanted);
    } finally {
      rmSync(output, { recursive: true, force: true });
    }
  });
}

test('no program is larger than 400 kB', () => {
  for (const line of readFileSync(join(native, 'bin/SHA256SUMS'), 'utf8').trim().split('\n')) {
    const path = join(native, 'bin', line.split(/\s+/)[1]!);
    assert.ok(readFileSync(path).length < 400_000, path);
  }
});
