import type { Mount } from './mount-table.ts';

/**
 * How far a lock holds against others: on every machine that mounts the file system, on this machine alone, not at all
 * (the call fails).
 */
export type LockScope = 'cluster' | 'node' | 'none' | 'unknown';

/** What a mount does with locks. */
export interface LockRule {
  flock: LockScope;
  fcntl: LockScope;
  /** False for a disk or memory of this machine alone: there, locks on the node are all that is needed. */
  shared: boolean;
  /** The name that people know it by. */
  name: string;
  /** What in the mount table or the configuration decided it; or what else is known of it. */
  why?: string;
  /** True where `why` is worth telling although locks hold. */
  caution?: boolean;
}

/** What the mount's own words do not tell. */
export interface RuleContext {
  /** Text of the file that BeeGFS's `cfgFile=` names; undefined when it could not be read. */
  beegfsConfiguration?: string;
}

/** What this mount does with flock(2) and with fcntl(2) record locks, by its type and options. */
export function findLockRule(mount: Mount, context: RuleContext = {}): LockRule {
  const { type } = mount;
  if (type === 'lustre') return lustreRule(mount);
  if (type === 'nfs' || type === 'nfs4') return nfsRule(mount);
  if (type === 'beegfs') return beegfsRule(context);
  if (type === 'cifs' || type === 'smb3') return smbRule(mount);
  const known = clusterTypes[type];
  if (known) return { shared: true, ...known };
  if (type === 'fuse' || type.startsWith('fuse.')) {
    return same('node', `a FUSE file system (${type})`, 'most of them keep locks on the machine that took them');
  }
  if (localTypes.has(type)) return { ...same('node', `a local file system (${type})`), shared: false };
  return same('unknown', `a file system of type ${type}`, 'its rules for locks are not known');
}

const cephRule = {
  ...same('cluster', 'CephFS', 'programs that use many locks there are known to get stuck'),
  caution: true,
};

const clusterTypes: Record<string, Omit<LockRule, 'shared'>> = {
  gpfs: same('cluster', 'GPFS (Spectrum Scale)'),
  gfs2: same('cluster', 'GFS2'),
  ocfs2: same('cluster', 'OCFS2'),
  wekafs: same('cluster', 'WEKA'),
  ceph: cephRule,
  'fuse.ceph': cephRule,
  'fuse.ceph-fuse': cephRule,
  'fuse.glusterfs': same('cluster', 'GlusterFS'),
  'fuse.juicefs': same('cluster', 'JuiceFS'),
  dvs: { flock: 'none', fcntl: 'cluster', name: 'Cray DVS', why: 'it answers flock with an error; fcntl locks work' },
  afs: {
    flock: 'unknown',
    fcntl: 'node',
    name: 'AFS',
    why: 'locks on parts of a file are only pretended: they hold on the machine that took them',
  },
  orangefs: same('none', 'OrangeFS', 'it has no locks'),
  pvfs2: same('none', 'PVFS2', 'it has no locks'),
  '9p': same('unknown', 'a folder of the host of this virtual machine (9p)'),
  virtiofs: same('unknown', 'a folder of the host of this virtual machine (virtiofs)'),
  panfs: same('unknown', 'PanFS', 'it depends on how it is set up'),
};

const localTypes = new Set(
  'ext2 ext3 ext4 xfs btrfs zfs f2fs jfs reiserfs bcachefs tmpfs ramfs overlay aufs fuse.fuse-overlayfs fuseblk vfat exfat ntfs ntfs3 squashfs iso9660 rootfs'.split(
    ' ',
  ),
);

function same(scope: LockScope, name: string, why?: string): LockRule {
  return { flock: scope, fcntl: scope, shared: true, name, why };
}

/**
 * The client's `llite/file.c`: `flock` wins over `localflock` where both are printed (versions before 2.13.50), and none
 * of them printed means `noflock`, the default before 2.12.3 (LU-10885, LU-12859, LU-12262).
 */
function lustreRule(mount: Mount): LockRule {
  const name = 'Lustre';
  if (mount.options.includes('flock')) return same('cluster', name, 'it is mounted with `flock`');
  if (mount.options.includes('localflock')) return same('node', name, 'it is mounted with `localflock`');
  return same('none', name, 'it is mounted without `flock`');
}

/** nfs(5): `nolock` and `local_lock` are about version 3 and older; version 4 has locks in its own protocol. */
function nfsRule(mount: Mount): LockRule {
  const version = optionOf(mount, 'vers') ?? optionOf(mount, 'nfsvers') ?? (mount.type === 'nfs4' ? '4' : '3');
  const name = `NFS version ${version}`;
  if (version.startsWith('4')) return same('cluster', name);
  const local = mount.options.includes('nolock') ? 'all' : (optionOf(mount, 'local_lock') ?? 'none');
  const scope = (call: string): LockScope => (local === 'all' || local === call ? 'node' : 'cluster');
  const why = mount.options.includes('nolock')
    ? 'it is mounted with `nolock`'
    : `it is mounted with \`local_lock=${local}\``;
  return { flock: scope('flock'), fcntl: scope('posix'), shared: true, name, why: local === 'none' ? undefined : why };
}

function beegfsRule({ beegfsConfiguration }: RuleContext): LockRule {
  if (beegfsConfiguration === undefined) {
    return same('unknown', 'BeeGFS', 'its configuration could not be read; by default locks hold on one machine only');
  }
  const isGlobal = /^\s*tuneUseGlobalFileLocks\s*=\s*(true|1|yes|on)\s*$/im.test(beegfsConfiguration);
  return same(isGlobal ? 'cluster' : 'node', 'BeeGFS', `\`tuneUseGlobalFileLocks\` is ${isGlobal ? 'on' : 'off'}`);
}

/** mount.cifs(8): `nobrl` sends no byte range locks to the server. */
function smbRule(mount: Mount): LockRule {
  const isLocal = mount.options.includes('nobrl') || mount.options.includes('nolock');
  return same(
    isLocal ? 'node' : 'cluster',
    'a Windows share (SMB)',
    isLocal ? 'it is mounted with `nobrl`' : undefined,
  );
}

function optionOf(mount: Mount, name: string): string | undefined {
  return mount.options.find(option => option.startsWith(`${name}=`))?.slice(name.length + 1);
}
