import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isPath, mapPaths, type PathValue } from '#cwl/file-value.ts';
import type { Value } from '#cwl/model.ts';
import { pathToReference, toLocalPath } from '#cwl/uri.ts';
import { FileDigests } from './file-digests.ts';
import { copyTree } from './files.ts';
import { isInside } from './guest-view.ts';

/** What `result.json` of an entry holds. Locations in it are `reused:N/NAME`, below the entry's `files`. */
interface Entry {
  outputs: Record<string, Value>;
  /** Path below `files` to size and time of change in milliseconds, as they must still be. */
  files: Record<string, [size: number, changed: number]>;
  commandLine: string;
}

/**
 * Results of tasks that ended well, by the key of their work, shared by runs: `results/KK/KEY` below the cache's folder. An
 * entry is made under another name and renamed, so any number of runs on any machines may write and read at the same
 * time; the first that has a result keeps it. Outputs are copies of their own (sharing blocks where the file system can)
 * that nobody may write to.
 */
export class ReuseCache {
  readonly digests: FileDigests;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.digests = new FileDigests(join(folder, 'digests'));
    mkdirSync(join(folder, 'results'), { recursive: true });
    this.#removeLeftovers();
  }

  /** The outputs of an earlier task, with their files in the cache; undefined where there are none, or not as they were. */
  find(key: string): Record<string, Value> | undefined {
    const folder = this.#toFolder(key);
    let entry: Entry;
    try {
      entry = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as Entry;
    } catch {
      return undefined;
    }
    if (!isWhole(folder, entry)) {
      this.#drop(folder);
      return undefined;
    }
    tryTo(() => utimesSync(join(folder, 'result.json'), new Date(), new Date()));
    return relocate(entry.outputs, location =>
      location.startsWith(prefix)
        ? pathToReference(join(folder, 'files', decodeURIComponent(location.slice(prefix.length))))
        : location,
    );
  }

  /**
   * Keeps the outputs of a task that ended well. False where they can't be kept: they are not all in `own`, its working
   * directory. Throws the system's error where the disk does not take them.
   */
  async store(
    key: string,
    outputs: Record<string, Value>,
    { own, commandLine }: { own: string; commandLine: string },
  ): Promise<boolean> {
    const target = this.#toFolder(key);
    const partial = join(this.#folder, `new-${randomBytes(8).toString('hex')}`);
    const places = new Map<string, string>();
    let isOwn = true;
    const kept = relocate(outputs, location => {
      const path = toLocalPath(location);
      if (path === undefined || !isInside(path, own)) isOwn = false;
      const outer = [...places.keys()].find(known => path !== undefined && isInside(path, known));
      const place =
        outer === undefined
          ? `${places.size}/${basename(path ?? '')}`
          : places.get(outer) + (path as string).slice(outer.length);
      if (path !== undefined && outer === undefined) places.set(path, place);
      return `${prefix}${encodeURIComponent(place)}`;
    });
    if (!isOwn) return false;
    try {
      mkdirSync(join(partial, 'files'), { recursive: true });
      const entry: Entry = { outputs: kept, files: {}, commandLine };
      for (const [path, place] of places) {
        const copy = join(partial, 'files', place);
        mkdirSync(dirname(copy), { recursive: true });
        await copyTree(path, copy);
        protect(copy, place, entry.files);
      }
      writeFileSync(join(partial, 'result.json'), JSON.stringify(entry));
      mkdirSync(dirname(target), { recursive: true });
      renameSync(partial, target);
    } catch (error) {
      // Another run was faster.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
    return true;
  }

  #toFolder(key: string): string {
    return join(this.#folder, 'results', key.slice(0, 2), key.slice(2));
  }

  /** Entries that a killed process has left half made. */
  #removeLeftovers(): void {
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      const found = /^(?:new|old)-/.test(name) ? statSync(path, { throwIfNoEntry: false }) : undefined;
      if (found && Date.now() - found.mtimeMs > leftFor) tryTo(() => rmSync(path, { recursive: true, force: true }));
    }
  }

  #drop(folder: string): void {
    const gone = join(this.#folder, `old-${randomBytes(8).toString('hex')}`);
    tryTo(() => {
      renameSync(folder, gone);
      rmSync(gone, { recursive: true, force: true });
    });
  }
}

const prefix = 'reused:';
/** Nobody takes longer than this to copy the outputs of a task, milliseconds. */
const leftFor = 7 * 86_400_000;

function isWhole(folder: string, entry: Entry): boolean {
  return Object.entries(entry.files).every(([place, [size, changed]]) => {
    const found = statSync(join(folder, 'files', place), { throwIfNoEntry: false });
    return found?.size === size && found.mtimeMs === changed;
  });
}

/** Takes away the right to write, and notes what the files are like. */
function protect(path: string, place: string, files: Entry['files']): void {
  const found = lstatSync(path);
  if (found.isDirectory()) {
    for (const name of readdirSync(path)) protect(join(path, name), `${place}/${name}`, files);
    return;
  }
  chmodSync(path, found.mode & 0o555);
  files[place] = [found.size, found.mtimeMs];
}

/** With the locations of all Files and Directories, also inner ones, changed. */
function relocate(outputs: Record<string, Value>, change: (location: string) => string): Record<string, Value> {
  const inner = (value: PathValue): PathValue => {
    const changed = { ...value };
    if (changed.location !== undefined) changed.location = change(changed.location);
    if (changed.class === 'File' && changed.secondaryFiles) changed.secondaryFiles = changed.secondaryFiles.map(inner);
    if (changed.class === 'Directory' && changed.listing) changed.listing = changed.listing.map(inner);
    return changed;
  };
  return mapPaths(outputs, value => (isPath(value) ? inner(value) : value)) as Record<string, Value>;
}

function tryTo(work: () => void): void {
  try {
    work();
  } catch {
    // Another process may be at it, or the cache may be read-only.
  }
}
