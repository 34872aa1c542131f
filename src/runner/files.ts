import { constants, lstatSync, readdirSync, statSync } from 'node:fs';
import { chmod, copyFile, cp } from 'node:fs/promises';
import { join } from 'node:path';

/** True for a directory, also behind a link. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A copy of a file or a whole directory, links followed, that its owner may change; shares blocks where the file system can. */
export async function copyTree(source: string, target: string): Promise<void> {
  const mode = constants.COPYFILE_FICLONE;
  if (isFolder(source)) await cp(source, target, { recursive: true, dereference: true, mode });
  else await copyFile(source, target, mode);
  await makeWritable(target);
}

async function makeWritable(path: string): Promise<void> {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return;
  const bits = found.isDirectory() ? 0o700 : 0o600;
  if ((found.mode & bits) !== bits) await chmod(path, found.mode | bits);
  if (found.isDirectory()) for (const name of readdirSync(path)) await makeWritable(join(path, name));
}
