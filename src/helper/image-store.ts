import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { readForm } from '#image/form.ts';
import { openStore, type Store } from '#image/store.ts';
import { findMount, type Mount, parseMountInfo } from '#locks/mount-table.ts';
import { findLockRule } from '#locks/rules.ts';
import { nearestReal, readText } from './quiet-files.ts';

/** File systems on which many small files are slow: each one is a trip to a server of metadata that all nodes share. */
const parallelTypes = /^(lustre|gpfs|beegfs|wekafs|panfs|orangefs|pvfs2|dvs|(fuse\.)?ceph(-fuse)?)$/;

/** Bytes that a disk of the node must have free to be chosen without being asked for. */
const roomAtLeast = 4 * 2 ** 30;

/**
 * Opens an image store in the form that it was given with `image form`; without one images are kept as archives where the
 * store is on a parallel file system and the node has a disk of its own with room (`CWL_ON_CLUSTERS_LOCAL_DISK` names one).
 */
export function openImageStore(folder: string): Store {
  const form = readForm(folder);
  const mounts = parseMountInfo(readText('/proc/self/mountinfo'));
  const chosen = process.env.CWL_ON_CLUSTERS_LOCAL_DISK;
  const local = chosen ?? findLocalDisk(mounts);
  const isPacking =
    form === 'archive' || (form === 'auto' && local !== undefined && isParallel(mounts, nearestReal(folder)));
  if (isPacking && local === undefined) {
    throw new Failure('image/no-local-disk', `images in ${folder} are archives, and this node has no disk for them`, {
      hint: 'Name a folder on a disk of the node in CWL_ON_CLUSTERS_LOCAL_DISK, or keep images as files (`image form files`).',
    });
  }
  return openStore(folder, { isPacking, localDisk: join(local ?? tmpdir(), `cwl-on-clusters-${process.getuid?.()}`) });
}

/** Throws a Failure `image/noexec` where nothing of this root file system can be executed. */
export function checkExecutable(rootfs: string): void {
  const mount = findMount(parseMountInfo(readText('/proc/self/mountinfo')), nearestReal(rootfs));
  if (!mount?.options.includes('noexec')) return;
  const message = `programs of images can't be run from ${rootfs}: the file system at ${mount.mountPoint} is mounted noexec`;
  throw new Failure('image/noexec', message, {
    hint: 'Keep images on another one (--image-store, imageStore of the cluster; CWL_ON_CLUSTERS_LOCAL_DISK for what is unpacked on a node).',
  });
}

/** True where the folder, a path without links, is on a parallel file system. */
export function isParallel(mounts: readonly Mount[], folder: string): boolean {
  return parallelTypes.test(findMount(mounts, folder)?.type ?? '');
}

/** The usual places for what belongs to one node; memory is the last choice. */
function findLocalDisk(mounts: readonly Mount[]): string | undefined {
  const usable = ['/tmp', '/var/tmp'].filter(folder => {
    const mount = findMount(mounts, nearestReal(folder));
    return mount && !findLockRule(mount).shared && !mount.options.includes('noexec') && hasRoom(folder);
  });
  const isMemory = (folder: string) => findMount(mounts, nearestReal(folder))?.type === 'tmpfs';
  return usable.find(folder => !isMemory(folder)) ?? usable[0];
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= roomAtLeast;
  } catch {
    return false;
  }
}
