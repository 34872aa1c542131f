import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** How many files of one input directory are looked at. */
const limit = 10_000;

/** What files were like before a task ran, to see whether it has changed what it must only read. */
export type Fingerprint = Map<string, string>;

export function takeFingerprint(paths: Iterable<string>): Fingerprint {
  const fingerprint: Fingerprint = new Map();
  for (const path of paths) visit(path, fingerprint, fingerprint.size + limit);
  return fingerprint;
}

/** The files that are not as they were: written, replaced or removed. */
export function findChanges(before: Fingerprint): string[] {
  return [...before].flatMap(([path, state]) => (describe(path)?.state === state ? [] : [path]));
}

function visit(path: string, fingerprint: Fingerprint, end: number): void {
  const found = describe(path);
  if (!found || fingerprint.has(path) || fingerprint.size >= end) return;
  fingerprint.set(path, found.state);
  if (!found.isFolder) return;
  try {
    for (const name of readdirSync(path)) visit(join(path, name), fingerprint, end);
  } catch {
    // A directory that can't be listed can't be changed by the task either.
  }
}

function describe(path: string): { state: string; isFolder: boolean } | undefined {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found && { state: `${found.ino} ${found.size} ${found.mtimeNs}`, isFolder: found.isDirectory() };
}
