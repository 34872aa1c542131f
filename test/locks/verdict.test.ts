import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgePath, judgeSilent } from '#locks/verdict.ts';

/** A root file system with one more mount, on /m. */
function judge(type: string, source: string, options: string, beegfsConfiguration?: string) {
  const table = `1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /m rw,relatime shared:4 - ${type} ${source} ${options}\n`;
  return judgePath('/m/run', table, { beegfsConfiguration });
}

// [type, options, flock, fcntl, severity]
const rows: [string, string, string, string, string][] = [
  ['lustre', 'rw,flock,user_xattr,lazystatfs', 'cluster', 'cluster', 'ok'],
  ['lustre', 'rw,nosuid,lazystatfs,flock', 'cluster', 'cluster', 'ok'],
  ['lustre', 'rw,flock,localflock,lazystatfs', 'cluster', 'cluster', 'ok'],
  ['lustre', 'rw,localflock,lazystatfs', 'node', 'node', 'warning'],
  ['lustre', 'rw,noflock,lazystatfs', 'none', 'none', 'warning'],
  ['lustre', 'rw,seclabel,lazystatfs', 'none', 'none', 'warning'],
  ['nfs', 'rw,vers=3,local_lock=none,addr=10.0.0.1', 'cluster', 'cluster', 'ok'],
  ['nfs', 'rw,vers=3,nolock,local_lock=all', 'node', 'node', 'warning'],
  ['nfs', 'rw,vers=3,nolock', 'node', 'node', 'warning'],
  ['nfs', 'rw,vers=3,local_lock=flock', 'node', 'cluster', 'warning'],
  ['nfs', 'rw,vers=3,local_lock=posix', 'cluster', 'node', 'warning'],
  ['nfs4', 'rw,vers=4.2,local_lock=all', 'cluster', 'cluster', 'ok'],
  ['nfs4', 'rw', 'cluster', 'cluster', 'ok'],
  ['nfs', 'rw,vers=4.1,local_lock=flock', 'cluster', 'cluster', 'ok'],
  ['gpfs', 'rw,relatime', 'cluster', 'cluster', 'ok'],
  ['ceph', 'rw,name=lab,acl', 'cluster', 'cluster', 'information'],
  ['dvs', 'rw,path=/lus', 'none', 'cluster', 'warning'],
  ['fuse', 'rw,user_id=0', 'node', 'node', 'warning'],
  ['fuse.sshfs', 'rw,user_id=0', 'node', 'node', 'warning'],
  ['afs', 'rw', 'unknown', 'node', 'warning'],
  ['9p', 'rw,trans=virtio', 'unknown', 'unknown', 'information'],
  ['cifs', 'rw,vers=3.0', 'cluster', 'cluster', 'ok'],
  ['cifs', 'rw,vers=3.0,nobrl', 'node', 'node', 'warning'],
  ['somethingfs', 'rw', 'unknown', 'unknown', 'information'],
  ['overlay', 'rw,lowerdir=/a,upperdir=/b,workdir=/c', 'node', 'node', 'ok'],
  ['tmpfs', 'rw', 'node', 'node', 'ok'],
  ['xfs', 'rw', 'node', 'node', 'ok'],
];

describe('judgePath', () => {
  for (const [type, options, flock, fcntl, severity] of rows) {
    test(`${type} ${options}`, () => {
      const verdict = judge(type, 'server:/export', options);
      assert.deepEqual(
        { flock: verdict.flock, fcntl: verdict.fcntl, severity: verdict.severity },
        { flock, fcntl, severity },
      );
      assert.equal(verdict.mountPoint, '/m');
      assert.match(verdict.message, /^\/m\/run is on /);
      if (severity === 'warning') assert.match(verdict.message, /\$TMPDIR/);
    });
  }

  test('BeeGFS asks its configuration file', () => {
    const ask = (text?: string) => judge('beegfs', 'beegfs_nodev', 'rw,cfgFile=/etc/beegfs/beegfs-client.conf', text);
    assert.equal(ask('tuneUseGlobalFileLocks       = true\n').flock, 'cluster');
    assert.equal(ask('# tuneUseGlobalFileLocks = true\ntuneUseGlobalFileLocks = false\n').fcntl, 'node');
    assert.equal(ask('').fcntl, 'node');
    assert.equal(ask().fcntl, 'unknown');
  });

  test('says which of the two kinds is concerned', () => {
    assert.match(judge('nfs', 'n:/x', 'rw,vers=3,local_lock=flock').message, /flock \(whole file\)/);
    assert.match(judge('nfs', 'n:/x', 'rw,vers=3,local_lock=posix').message, /fcntl \(part of a file\)/);
  });

  test('an empty mount table is not called safe', () => {
    assert.equal(judgePath('/m', '').severity, 'information');
  });
});

test('a dead mount is a warning that names its server', () => {
  const verdict = judgeSilent(
    '/m/run',
    { id: 1, parent: 0, mountPoint: '/m', type: 'nfs', source: 'nas:/x', options: [] },
    5,
  );
  assert.equal(verdict.severity, 'warning');
  assert.match(verdict.message, /5 s.*nas:\/x/);
});
