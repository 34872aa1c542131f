// What a step must not change, where it is looked at after the step.
import assert from 'node:assert/strict';
import { appendFileSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Rules } from '#base/rules.ts';
import { Guards } from '#runner/guards.ts';
import { writeFiles } from '../support/files.ts';
import { findUser, makeFolder } from '../support/machine.ts';

const rules: Rules = { writes: 'open', inputs: 'checked', rootfs: 'checked', network: 'open' };

function inStore(check: (folder: string, rootfs: string, findViolation: () => string | undefined) => void): void {
  const { path, remove } = makeFolder(findUser());
  try {
    writeFiles(path, { 'image.json': '{}', 'root/init': 'x', 'root/usr/bin/tool': 'x', 'root/etc/passwd': 'x' });
    const rootfs = join(path, 'root');
    const image = {
      reference: 'tools:1',
      digest: '',
      rootfs,
      config: { architecture: 'amd64', env: {}, entrypoint: [], command: [] },
    };
    const guards = new Guards(rules, [], image);
    check(path, rootfs, () => guards.findViolation());
  } finally {
    remove();
  }
}

test('what a step makes, writes or removes at the top of a shared image is seen, and what is noted down of it', () => {
  const deeds: ((folder: string, rootfs: string) => void)[] = [
    (_, rootfs) => writeFileSync(join(rootfs, 'new'), ''),
    (_, rootfs) => mkdirSync(join(rootfs, 'usr/lib')),
    (_, rootfs) => appendFileSync(join(rootfs, 'init'), 'y'),
    (_, rootfs) => rmSync(join(rootfs, 'etc'), { recursive: true }),
    (_, rootfs) => rmSync(join(rootfs, 'usr/bin/tool')),
    folder => appendFileSync(join(folder, 'image.json'), ' '),
  ];
  for (const deed of deeds) {
    inStore((folder, rootfs, findViolation) => {
      deed(folder, rootfs);
      assert.match(findViolation() ?? '', /image that it shares.*image remove tools:1/, String(deed));
    });
  }
});

test('what other processes make of the image meanwhile is no violation', () => {
  inStore((folder, rootfs, findViolation) => {
    linkSync(join(rootfs, 'init'), join(folder, 'shared-by-another-image'));
    mkdirSync(join(folder, 'view-in-the-making'));
    assert.equal(findViolation(), undefined);
  });
});
