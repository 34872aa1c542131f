import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findMount, parseMountInfo } from '#locks/mount-table.ts';

const table = `22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
30 22 0:40 / /home rw,nosuid shared:2 master:7 propagate_from:3 - nfs4 nas:/home rw,vers=4.2,local_lock=none
31 30 0:41 / /home/lab\\040one rw - fuse.sshfs me@host:/lab\\040one rw,user_id=1000
32 22 0:42 / /scratch rw - lustre 10.1.1.1@tcp:/scr rw,flock,lazystatfs
33 32 0:43 / /scratch rw - tmpfs tmpfs rw,size=1024k
34 22 0:44 / /data/a rw - xfs /dev/vdb rw
35 22 0:45 / /data rw - nfs nas:/data rw,vers=3,nolock,local_lock=all
not a mount line
36 22 0:46 / /short`;

const mounts = parseMountInfo(table);
const sourceOf = (path: string) => findMount(mounts, path)?.source;

describe('parseMountInfo', () => {
  test('reads any number of optional fields and undoes the escapes', () => {
    assert.deepEqual(mounts[2], {
      id: 31,
      parent: 30,
      mountPoint: '/home/lab one',
      type: 'fuse.sshfs',
      source: 'me@host:/lab one',
      options: ['rw', 'rw', 'user_id=1000'],
    });
    assert.deepEqual(mounts[1]?.options, ['rw', 'nosuid', 'rw', 'vers=4.2', 'local_lock=none']);
  });

  test('leaves out lines that make no sense', () => assert.equal(mounts.length, 7));
});

describe('findMount', () => {
  test('takes the deepest mount on the way', () => {
    assert.equal(sourceOf('/usr/bin'), '/dev/vda1');
    assert.equal(sourceOf('/'), '/dev/vda1');
    assert.equal(sourceOf('/home/ann'), 'nas:/home');
    assert.equal(sourceOf('/home/lab one/x'), 'me@host:/lab one');
  });

  test('compares whole names', () => {
    assert.equal(sourceOf('/home2/ann'), '/dev/vda1');
    assert.equal(sourceOf('/home/lab onex'), 'nas:/home');
  });

  test('a later mount on the same point wins', () => assert.equal(sourceOf('/scratch/run'), 'tmpfs'));

  test('a mount below one that was mounted over its parent later is hidden', () => {
    assert.equal(sourceOf('/data/a/file'), 'nas:/data');
  });

  test('without a root in the table the longest mount point is taken', () => {
    const inChroot = parseMountInfo('40 39 0:1 / /proc rw - proc proc rw\n41 39 0:2 / /proc/x rw - tmpfs t rw');
    assert.equal(findMount(inChroot, '/proc/x/y')?.source, 't');
    assert.equal(findMount(inChroot, '/etc'), undefined);
  });
});
