import { chmodSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { toDiskFailure } from './disk-failure.ts';

/** Of the folders of a shared store: whoever is in the group may add to them, and what is added is the group's. */
const folderMode = 0o2770;

/**
 * Lets the group that the store's folder belongs to use its images and add to them, from now on. Whatever the owner of a
 * file may read, the group may then read as well. Throws a Failure where the store belongs to somebody else.
 */
export function shareStore(store: string): void {
  const forms = readdirSync(join(store, 'rootfs')).map(name => `rootfs/${name}`);
  const published = ['blobs/sha256', ...forms, 'references'].map(name => join(store, name));
  for (const name of ['', 'blobs', 'rootfs', 'temporary']) shareFolder(join(store, name));
  for (const folder of published) {
    shareFolder(folder);
    for (const name of readdirSync(folder)) letGroupRead(join(folder, name));
  }
  writeFileSync(sharedMark(store), 'image share: the group of this folder uses it together\n');
  letGroupRead(sharedMark(store));
}

/** Opens a folder of a store to the group that it belongs to. Throws a Failure where the caller may not. */
function shareFolder(folder: string): void {
  try {
    const { mode } = lstatSync(folder);
    chmodSync(folder, (mode & 0o7777) | folderMode);
    // The kernel drops the bit without a word where the caller is not in the group (chmod(2)).
    if ((lstatSync(folder).mode & folderMode) === folderMode) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw toDiskFailure(error, folder);
  }
  throw new Failure('image/not-shareable', `${folder} can't be opened to its group by you`, {
    hint: 'Give it to a group that you are in (`chgrp -R GROUP FOLDER`), or have its owner share it.',
  });
}

/** Lets the group read whatever the owner may read below `path`, and enter what he may enter. Follows no link. */
export function letGroupRead(path: string): void {
  letRead(Buffer.from(path));
}

function letRead(path: Buffer): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  const mode = stat.mode & 0o7777;
  const wanted = mode | ((mode >> 3) & 0o050);
  if (wanted !== mode) chmodSync(path, wanted);
  if (!stat.isDirectory() || (mode & 0o500) !== 0o500) return;
  for (const name of readdirSync(path, { encoding: 'buffer' })) letRead(Buffer.concat([path, slash, name]));
}

const slash = Buffer.from('/');

/** The name of a file in a store that says that a group shares it. */
export function sharedMark(store: string): string {
  return join(store, 'shared');
}
