import { posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { type PathValue, splitName, toPathBasename } from '#cwl/file-value.ts';
import type { Version } from '#cwl/model.ts';
import type { OutputFolder } from '#cwl/outputs.ts';
import { decode, isAbsoluteUri, toLocalPath } from '#cwl/uri.ts';
import { loadListing, readContents, toPathValue } from './contents.ts';
import { findMatches } from './find-matches.ts';
import type { GuestView } from './guest-view.ts';

/** The output directory of a task as it is on this host. `outdir` and all other paths are those that the task saw. */
export function openOutputFolder(view: GuestView, outdir: string, version: Version): OutputFolder {
  const find = (path: string): PathValue | undefined => {
    const guest = posix.resolve(outdir, path);
    const found = view.resolve(guest);
    const value = found && toPathValue(found.host, toPathBasename(guest));
    return value && { ...value, path: guest };
  };
  const settle = (value: PathValue): PathValue => {
    const path = value.path ?? (value.location === undefined ? undefined : toGuestPath(value.location));
    const isKnown = value.path === undefined && value.location?.startsWith('file:') === true;
    let found = path === undefined ? undefined : tryFind(find, path, isKnown);
    if (!found && isKnown) found = toPathValue(toLocalPath(value.location as string) ?? '', value.basename ?? '');
    if (!found && path !== undefined) {
      throw new Failure('cwl/output', `there is no ${value.class} ${path}`);
    }
    const basename = value.basename ?? found?.basename ?? '';
    const parts =
      value.class === 'File'
        ? { ...splitName(basename), ...(value.secondaryFiles && { secondaryFiles: value.secondaryFiles.map(settle) }) }
        : value.listing && { listing: value.listing.map(settle) };
    const where = found && { location: found.location, path: found.path, class: found.class };
    const size = found?.class === 'File' ? { size: found.size } : {};
    return { ...value, ...size, ...where, basename, ...parts } as PathValue;
  };
  return {
    glob: pattern => findMatches(view, outdir, pattern).flatMap(path => find(path) ?? []),
    find,
    settle,
    readContents: file => readContents(toLocalPath(file.location ?? '') ?? '', version),
    loadListing(directory, depth) {
      if (directory.class === 'Directory') loadListing(directory, toLocalPath(directory.location ?? '') ?? '', depth);
    },
  };

  /** A relative reference starts at the output directory. */
  function toGuestPath(location: string): string | undefined {
    if (!isAbsoluteUri(location)) return decode(location);
    return toLocalPath(location);
  }
}

/** A location that came with an input means the host's file system, not the task's. */
function tryFind(find: (path: string) => PathValue | undefined, path: string, isKnown: boolean): PathValue | undefined {
  if (!isKnown) return find(path);
  try {
    return find(path);
  } catch {
    return undefined;
  }
}
