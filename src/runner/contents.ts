import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { DirectoryValue, FileValue, PathValue } from '#cwl/file-value.ts';
import { splitName } from '#cwl/file-value.ts';
import { compareUtf8 } from '#cwl/input-binding.ts';
import type { LoadListing, Version } from '#cwl/model.ts';
import { pathToReference } from '#cwl/uri.ts';

const limit = 65_536;

/**
 * The text of a file for `loadContents`: at most 64 KiB, more is an error (CWL v1.2, LoadContents), and is cut off in
 * v1.0 and v1.1, as those versions say.
 */
export function readContents(path: string, version: Version): string {
  const isCut = version === 'v1.0' || version === 'v1.1';
  const bytes = Buffer.alloc(limit + 1);
  const descriptor = openSync(path, 'r');
  let length = 0;
  try {
    for (let count = 1; count > 0 && length < bytes.length; length += count) {
      count = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
  } finally {
    closeSync(descriptor);
  }
  if (length > limit && !isCut) {
    throw new Failure('runner/contents', `${path} is larger than 64 KiB, which is as much as loadContents may read`, {
      hint: 'Let the tool itself read the file, or write cwl.output.json.',
    });
  }
  return bytes.subarray(0, Math.min(length, limit)).toString('utf8');
}

/** File or Directory object for what lies at an absolute local path; undefined where nothing does. */
export function toPathValue(path: string, basename: string): PathValue | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return undefined;
  const location = pathToReference(path);
  if (found.isDirectory()) return { class: 'Directory', location, basename };
  return { class: 'File', location, basename, ...splitName(basename), size: found.size };
}

/** Fills `listing` from the disk (CWL v1.2, LoadListingEnum); a directory that has one already keeps it. */
export function loadListing(directory: DirectoryValue, path: string, depth: LoadListing | undefined): void {
  if (depth === undefined || depth === 'no_listing') return;
  directory.listing ??= listFolder(path);
  if (depth === 'shallow_listing') return;
  for (const entry of directory.listing) {
    if (entry.class === 'Directory') loadListing(entry, join(path, entry.basename ?? ''), depth);
  }
}

export function listFolder(path: string): (FileValue | DirectoryValue)[] {
  const names = readdirSync(path).sort(compareUtf8);
  return names.flatMap(name => toPathValue(join(path, name), name) ?? []);
}
