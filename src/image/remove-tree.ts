import { chmodSync, lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';

/** Bytes of the files that are gone: not of those that have a name elsewhere. */
export interface FreedSpace {
  bytes: number;
}

/**
 * Removes a tree with directories that its owner may not enter or change; nothing there is no error. Follows no link.
 * `freed`, where somebody wants to know, is added to.
 */
export function removeTree(path: string | Buffer, freed?: FreedSpace): void {
  try {
    unlink(path, freed);
    return;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return;
    // Linux says EISDIR for a directory, other systems and some file systems EPERM.
    if (code !== 'EISDIR' && code !== 'EPERM' && code !== 'EACCES') throw error;
    if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
  removeDirectory(Buffer.from(path), freed);
}

function removeDirectory(path: Buffer, freed: FreedSpace | undefined): void {
  let entries = listEntries(path);
  for (let tries = 0; ; tries++) {
    for (const entry of entries) removeEntry(path, entry.name, entry.isDirectory(), freed);
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      // NFS leaves names for files that are still open, and another process may remove or write here as well.
      if (codeOf(error) !== 'ENOTEMPTY' || tries === 3) throw error;
      entries = listEntries(path);
    }
  }
}

function removeEntry(directory: Buffer, name: Buffer, isDirectory: boolean, freed: FreedSpace | undefined): void {
  const path = Buffer.concat([directory, slash, name]);
  if (isDirectory) {
    removeDirectory(path, freed);
    return;
  }
  try {
    unlink(path, freed);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    if (codeOf(error) !== 'EACCES') throw error;
    chmodSync(directory, 0o700);
    removeTree(path, freed);
  }
}

function unlink(path: string | Buffer, freed: FreedSpace | undefined): void {
  const stat = freed && lstatSync(path, { throwIfNoEntry: false });
  unlinkSync(path);
  // Holes take no space.
  if (freed && stat?.nlink === 1) freed.bytes += Math.min(stat.size, stat.blocks * 512);
}

const slash = Buffer.from('/');

function listEntries(path: Buffer) {
  const list = () => readdirSync(path, { encoding: 'buffer', withFileTypes: true });
  try {
    const entries = list();
    // A directory that cannot be written to cannot be emptied.
    if (entries.length > 0 && (lstatSync(path).mode & 0o700) !== 0o700) chmodSync(path, 0o700);
    return entries;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    if (codeOf(error) !== 'EACCES') throw error;
    chmodSync(path, 0o700);
    return list();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
