import { statfsSync } from 'node:fs';
import { Failure } from '#base/failure.ts';

/** What a person can do about an error of the file system at `path`; other errors come back as they are. */
export function toDiskFailure(error: unknown, path: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  switch (code) {
    case 'ENOSPC':
      return new Failure(
        'image/disk-full',
        `the disk of ${path} is full${hasInodes(path) ? '' : ': no inodes are left'}`,
        {
          ...options,
          hint: 'Free some space (`image prune`), or keep images elsewhere with --image-store.',
        },
      );
    case 'EDQUOT':
      return new Failure('image/disk-full', `your quota on the disk of ${path} is used up`, {
        ...options,
        hint: 'Free some space or files (`image prune`), or keep images elsewhere with --image-store.',
      });
    case 'EFBIG':
    case 'ENAMETOOLONG':
      return new Failure(
        'image/invalid-layer',
        `a layer of the image holds what this file system can't: ${message}`,
        options,
      );
    case 'EACCES':
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EPERM':
    case 'EROFS':
      return new Failure('image/not-writable', `${path} can't be written to: ${message}`, {
        ...options,
        hint: 'Keep images elsewhere with --image-store, or have the folder given to you.',
      });
    default:
      return error;
  }
}

/** Throws a Failure `image/disk-full` where `bytes` will not fit on the file system of `path`. */
export function checkSpace(path: string, bytes: number): void {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  const free = bavail * bsize;
  if (free < bytes) {
    throw new Failure(
      'image/disk-full',
      `the image needs at least ${formatBytes(bytes)}, and ${path} has ${formatBytes(free)} left`,
      {
        hint: 'Free some space (`image prune`), or keep images elsewhere with --image-store.',
      },
    );
  }
  // Some file systems make inodes as they need them and say 0.
  if (files > 0 && ffree < 1000) {
    throw new Failure('image/disk-full', `the file system of ${path} has ${ffree} inodes left, too few for an image`, {
      hint: 'Remove files you do not need (`image prune`), or keep images elsewhere with --image-store.',
    });
  }
}

/** `1.5 GB`, in powers of ten as disks are sold. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function hasInodes(path: string): boolean {
  try {
    const { files, ffree } = statfsSync(path);
    return files === 0 || ffree > 0;
  } catch {
    return true;
  }
}
