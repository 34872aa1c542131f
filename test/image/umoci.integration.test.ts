// The same image through umoci, entry by entry.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { readTree } from './rootfs.ts';

const skip = isRoot && existsSync('/usr/bin/apt-get') ? undefined : 'umoci is installed by root on Debian';

test('busybox with layers that replace, remove and link is what umoci makes of it', { skip }, async () => {
  needPackages('umoci');
  const helper: InstalledHelper = await installHelper(findUser());
  try {
    const layout = join(helper.folder, 'layout');
    const layers = [
      new Layer()
        .directory('opt')
        .directory('opt/old', 0o711)
        .file('opt/old/a', 'a')
        .file('opt/old/b', 'b', 0o400)
        .directory('opt/ro', 0o555)
        .file('opt/ro/x', 'x', 0o444)
        .file('opt/none', 'secret', 0)
        .symlink('opt/abs', '/etc/passwd')
        .symlink('opt/dangling', '../nowhere')
        .hardlink('opt/twin', 'opt/old/a')
        .add({ name: 'opt/pipe', type: '6', mode: 0o600 }),
      new Layer()
        .directory('bin')
        .whiteout('bin/vi')
        .file('bin/wc', 'no longer a link', 0o755)
        .directory('opt')
        .whiteout('opt/old'),
      new Layer()
        .directory('opt')
        .directory('opt/ro', 0o500)
        .opaque('opt/ro')
        .file('opt/ro/y', 'y')
        .file('opt/none', 'open')
        .directory('etc')
        .file('etc/passwd', 'root:x:0:0::/:/bin/sh\n'),
    ];
    writeLayout(layout, { latest: busyboxImage({ layers }) });
    const store = join(helper.folder, 'store');
    const ours = await helper.run(['image', 'load', layout, '--image-store', store, '--json']);
    assert.equal(ours.code, 0, ours.stderr);
    const bundle = join(helper.folder, 'bundle');
    const theirs = await runAs(helper.user, 'umoci', ['unpack', '--rootless', '--image', `${layout}:latest`, bundle]);
    assert.equal(theirs.code, 0, theirs.stderr);
    // What every rootfs of ours has more.
    const isTheirs = (path: string) => !/^(\.cwl-on-clusters|w|t|in|etc\/hosts|etc\/resolv\.conf)$/.test(path);
    const tree = readTree(JSON.parse(ours.stdout)[0].rootfs, isTheirs);
    assert.ok(Object.keys(tree).length > 80);
    assert.deepEqual(tree, readTree(join(bundle, 'rootfs'), isTheirs));
  } finally {
    helper.remove();
  }
});
