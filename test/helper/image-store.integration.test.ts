// In which form a store keeps images: by its file system, or as it was set.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isParallel } from '#helper/image-store.ts';
import { parseMountInfo } from '#locks/mount-table.ts';
import { installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot } from '../support/machine.ts';

const skip = isRoot ? false : 'the helper of another user needs root';

test('a store that is set to archives unpacks on the disk that is named, and runs from there', {
  skip,
}, async context => {
  const helper = await installHelper(findUser());
  context.after(() => helper.remove());
  const layout = join(helper.folder, 'layout');
  writeLayout(layout, { 'lab/tools:1': busyboxImage() });
  const env = { CWL_ON_CLUSTERS_LOCAL_DISK: join(helper.folder, 'disk') };
  const run = async (...args: string[]) => {
    const result = await helper.run(args, { env });
    assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  assert.equal(await run('image', 'form'), 'auto\n');
  assert.equal(await run('image', 'form', 'archive'), 'archive\n');
  const [, rootfs = ''] = (await run('image', 'load', '--name', 'lab/tools:1', layout)).trim().split('\n');
  assert.ok(rootfs.startsWith(env.CWL_ON_CLUSTERS_LOCAL_DISK), rootfs);
  const [image = ''] = readdirSync(join(helper.home, 'images', 'rootfs', 'v1'));
  assert.ok(existsSync(join(helper.home, 'images', 'rootfs', 'v1', image, 'root.tar.zst')));
  assert.equal(await run('docker', 'run', '--rm', 'lab/tools:1', 'echo', 'hello'), 'hello\n');
  const wrong = await helper.run(['image', 'form', 'tar'], { env });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /takes one of auto, files, archive/);
});

test('parallel file systems are told by their type', () => {
  const line = (id: number, path: string, type: string) => `${id} 1 0:${id} / ${path} rw - ${type} source rw`;
  const table = ['1 1 8:1 / / rw - ext4 /dev/sda1 rw'];
  const types = ['lustre', 'gpfs', 'beegfs', 'ceph', 'fuse.ceph-fuse', 'nfs4', 'xfs', 'tmpfs', 'cifs'];
  types.forEach((type, i) => void table.push(line(i + 2, `/${type}`, type)));
  const mounts = parseMountInfo(table.join('\n'));
  const found = types.filter(type => isParallel(mounts, `/${type}/images`));
  assert.deepEqual(found, ['lustre', 'gpfs', 'beegfs', 'ceph', 'fuse.ceph-fuse']);
  assert.equal(isParallel(mounts, '/home'), false);
});
