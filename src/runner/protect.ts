import { type BigIntStats, lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** How many files of one input directory are looked at. */
const limit = 10_000;

/** What files were like before a task ran, to see whether it has changed what it must only read. */
export type Fingerprint = Map<string, { state: string; look(path: string): string | undefined }>;

/** Inputs: files with size, time and mode; directories with all that is in them. */
export function takeFingerprint(paths: Iterable<string>): Fingerprint {
  const fingerprint: Fingerprint = new Map();
  for (const path of paths) visit(path, fingerprint, fingerprint.size + limit);
  return fingerprint;
}

/**
 * The uppermost directories of a root file system, `usr/*` with them: a look at every file would take longer than most
 * tasks do. It sees what is made, removed or replaced there, not what is written into a file further down.
 */
export function takeRootFingerprint(root: string): Fingerprint {
  const fingerprint: Fingerprint = new Map();
  // What the store has written down of the image lies beside its root, where more may be made for it at any time.
  const beside = list(dirname(root)).filter(path => stat(path)?.isFile());
  for (const path of [...beside, root, ...list(root), ...list(join(root, 'usr'))]) {
    const state = describeInRoot(path);
    if (state !== undefined) fingerprint.set(path, { state, look: describeInRoot });
  }
  return fingerprint;
}

/** The files that are not as they were: written, replaced or removed. */
export function findChanges(before: Fingerprint): string[] {
  return [...before].flatMap(([path, { state, look }]) => (look(path) === state ? [] : [path]));
}

function visit(path: string, fingerprint: Fingerprint, end: number): void {
  const found = stat(path);
  if (!found || fingerprint.has(path) || fingerprint.size >= end) return;
  fingerprint.set(path, { state: format(found), look: describe });
  if (found.isDirectory()) for (const inner of list(path)) visit(inner, fingerprint, end);
}

/** A directory that can't be listed can't be changed by the task either. */
function list(folder: string): string[] {
  try {
    return readdirSync(folder).map(name => join(folder, name));
  } catch {
    return [];
  }
}

function describe(path: string): string | undefined {
  const found = stat(path);
  return found && format(found);
}

/**
 * Not the time of the last change of the inode: the runner gives inputs second names for other tasks, and takes them
 * away again, which changes that.
 */
function format({ ino, size, mtimeNs, mode }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs} ${mode}`;
}

/**
 * A link must not be followed, as it means a place inside. Directories have one name only; files get others, from images
 * that share them.
 */
function describeInRoot(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  return found?.isDirectory() ? `${format(found)} ${found.ctimeNs}` : found && format(found);
}

function stat(path: string): BigIntStats | undefined {
  return statSync(path, { throwIfNoEntry: false, bigint: true });
}
