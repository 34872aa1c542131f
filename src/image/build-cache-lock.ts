import { linkSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Temporaries } from './temporaries.ts';

/** A folder that one RUN uses, until it is released. */
export interface CacheClaim {
  folder: string;
  release(): void;
}

/** Milliseconds between two looks at a cache that another build holds. */
const pause = 200;

/**
 * The folder of a cache mount: at once where it is shared, alone and after those that have it where it is `locked`, and
 * the first that nobody has where it is `private` (Dockerfile reference, RUN --mount=type=cache). A lock is a symbolic
 * link with the name of its owner: many clusters' file systems refuse the kernel's locks, and none refuses this.
 */
export async function claimCache(
  folder: string,
  sharing: 'shared' | 'private' | 'locked',
  temporaries: Temporaries,
  signal: AbortSignal,
): Promise<CacheClaim> {
  if (sharing === 'shared') return { folder, release() {} };
  for (let number = 0; ; number++) {
    signal.throwIfAborted();
    const wanted = sharing === 'private' && number > 0 ? `${folder}-${number}` : folder;
    const claim = take(wanted, temporaries);
    if (claim) return claim;
    if (sharing === 'locked') await sleep(pause, undefined, { signal });
  }
}

function take(folder: string, temporaries: Temporaries): CacheClaim | undefined {
  const lock = `${folder}.lock`;
  const own = basename(temporaries.make('lock'));
  const isTaken = tryLink(lock, own);
  if (!isTaken) {
    breakStale(lock, temporaries);
    if (!tryLink(lock, own)) return undefined;
  }
  return {
    folder,
    release() {
      if (readOwner(lock) === own) unlinkSync(lock);
    },
  };
}

/** Takes away the lock of a process that is no more. */
function breakStale(lock: string, temporaries: Temporaries): void {
  const owner = readOwner(lock);
  if (owner === undefined || !temporaries.isStale(owner)) return;
  const aside = temporaries.make('lock');
  try {
    renameSync(lock, aside);
  } catch {
    // Another build was faster.
    return;
  }
  // Somebody may have taken it between the look and the rename.
  if (readOwner(aside) !== owner) {
    try {
      linkSync(aside, lock);
    } catch {
      // And somebody else after that: the next RUN sees one of them.
    }
  }
  unlinkSync(aside);
}

function tryLink(lock: string, owner: string): boolean {
  try {
    symlinkSync(owner, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

function readOwner(lock: string): string | undefined {
  try {
    return readlinkSync(lock);
  } catch {
    return undefined;
  }
}
