import { linkSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { formatPlace } from '#cwl/expression.ts';
import { type PathValue, setPath } from '#cwl/file-value.ts';
import type { WorkDirEntry } from '#cwl/initial-work-dir.ts';
import { pathToReference, toLocalPath } from '#cwl/uri.ts';
import type { Bind } from '#engine/sandbox.ts';
import { copyTree, isFolder } from './files.ts';
import { isInside, type Mount } from './guest-view.ts';

/** From so many inputs on they are linked into one directory. */
const manyInputs = 100;

/** Where the parts of a task lie, on the host and as the task sees them. */
export interface TaskPaths {
  /** The task's own folder on the host. */
  folder: string;
  /** False: the task sees the host's root, and the guest's paths are the host's. */
  isSandboxed: boolean;
  work: Mount;
  temporary: Mount;
}

/** A path as the task sees it, and where on the host something made for it lies. */
interface Place extends Mount {
  /** The task sees `host` at `guest` without any bind. */
  isShown?: boolean;
}

/**
 * Makes files visible to a task: by binds in a sandbox, by symbolic links on the host. Nothing is copied but what the
 * task may change.
 */
export class Staging {
  readonly paths: TaskPaths;
  readonly binds: Bind[] = [];
  /** What lies where for the task, besides its own directories. */
  readonly mounts: Mount[] = [];
  /** Where inputs lie on the bare host, a folder for each. */
  readonly inputFolders: string[] = [];
  readonly #writable: string[] = [];
  /** Where the working directory holds an input, by what names it; the first place where it is there twice. */
  readonly #inWork = new Map<string, string>();
  readonly #taken = new Map<string, string | undefined>();
  /** Where inputs are hard links, because there are many of them. */
  #linked: string | undefined;

  constructor(paths: TaskPaths) {
    this.paths = paths;
  }

  /** Stages each input with its secondary files in a directory of its own, and sets their `path`. */
  addInputs(values: readonly PathValue[]): void {
    const folder = join(this.paths.folder, 'in');
    const isShown = this.paths.isSandboxed && values.length > manyInputs;
    if (isShown) {
      // A bind for each would be too many: the command line has an end, and PRoot looks through all of them.
      mkdirSync(folder);
      this.#linked = folder;
      this.binds.push({ host: folder, guest: '/in', writable: false });
    }
    for (const [number, value] of values.entries()) {
      // On the bare host no folder is around them: each folder costs as much as a file.
      const host = this.paths.isSandboxed ? join(folder, String(number)) : `${folder}${number}`;
      if (!this.paths.isSandboxed) this.inputFolders.push(host);
      this.#stage(value, { guest: this.paths.isSandboxed ? `/in/${number}` : host, host, isShown });
    }
  }

  /** Puts one entry of InitialWorkDirRequirement in its place. `allowAbsolute`: its name may be any path of the container. */
  async addToWorkDir(entry: WorkDirEntry, options: { allowAbsolute: boolean; inplace: boolean }): Promise<void> {
    const name = entry.kind === 'text' ? entry.name : (entry.name ?? entry.value.basename ?? '');
    const place = this.#toPlace(this.#toTarget(name, entry, options.allowAbsolute));
    if (entry.kind === 'path') {
      return this.#addPath(entry.value, place, { writable: entry.writable, inplace: options.inplace });
    }
    if (!this.#take(place.guest, undefined)) return;
    mkdirSync(dirname(place.host), { recursive: true });
    writeFileSync(place.host, entry.text);
    if (!place.isShown) this.#mount(place.host, place);
  }

  /** Paths on the host that the task sees and must not change. */
  listReadOnly(): string[] {
    const isWritable = (host: string) => this.#writable.some(path => isInside(host, path));
    return this.mounts.flatMap(({ host }) => (isWritable(host) ? [] : [host]));
  }

  /** Inputs that lie in the working directory as well have their path there (CWL v1.2, InitialWorkDirRequirement). */
  movePaths(value: PathValue): void {
    const path = this.#inWork.get(toIdentity(value) ?? '');
    if (path !== undefined) setPath(value, path);
    const parts = value.class === 'File' ? value.secondaryFiles : value.listing;
    for (const part of parts ?? []) this.movePaths(part);
  }

  /**
   * `folder`: where the value goes, as the task sees it, and where literals of it are made on the host; `isShown`: that
   * the task sees the one at the other already.
   */
  #stage(value: PathValue, folder: { guest: string; host: string; isShown?: boolean }): void {
    const name = checkName(value);
    const place = { guest: posix.join(folder.guest, name), host: join(folder.host, name), isShown: folder.isShown };
    if (this.#take(place.guest, value.location)) {
      const path = toHostPath(value);
      if (path !== undefined) this.#mount(path, place);
      else this.#makeLiteral(value, place);
    }
    setPath(value, place.guest);
    if (value.class === 'Directory') setListingPaths(value, place.guest);
    else for (const entry of value.secondaryFiles ?? []) this.#stage(entry, folder);
  }

  #makeLiteral(value: PathValue, place: Place): void {
    if (value.class === 'File') {
      mkdirSync(dirname(place.host), { recursive: true });
      writeFileSync(place.host, value.contents ?? '');
      value.location = pathToReference(place.host);
    } else mkdirSync(place.host, { recursive: true });
    if (this.paths.isSandboxed && !place.isShown) this.#mount(place.host, place);
    if (value.class !== 'Directory') return;
    for (const entry of value.listing ?? []) this.#stage(entry, { ...place, isShown: true });
  }

  /** Shows `source` to the task. Where a shown directory is below, it needs something to be bound over. */
  #mount(source: string, place: Place, writable = false): void {
    this.mounts.push({ guest: place.guest, host: source });
    if (writable) this.#writable.push(source);
    if (this.paths.isSandboxed) {
      if (this.#linked !== undefined && isInside(place.host, this.#linked) && tryLink(source, place.host)) return;
      if (place.isShown) makePlaceholder(place.host, source);
      this.binds.push({ host: source, guest: place.guest, writable });
    } else {
      symlinkInto(source, place.guest);
    }
  }

  async #addPath(value: PathValue, place: Place, how: { writable: boolean; inplace: boolean }): Promise<void> {
    const beside = (other: PathValue, folder: Place): Place => {
      const name = checkName(other);
      return { guest: posix.join(folder.guest, name), host: join(folder.host, name), isShown: folder.isShown };
    };
    const folder = { guest: posix.dirname(place.guest), host: dirname(place.host), isShown: place.isShown };
    const parts = value.class === 'File' ? (value.secondaryFiles ?? []) : [];
    for (const part of parts) await this.#addPath(part, beside(part, folder), how);
    if (!this.#take(place.guest, value.location)) return;
    const identity = toIdentity(value);
    if (identity !== undefined && !this.#inWork.has(identity)) this.#inWork.set(identity, place.guest);
    const source = toHostPath(value);
    if (source !== undefined && (!how.writable || how.inplace)) return this.#mount(source, place, how.writable);
    mkdirSync(dirname(place.host), { recursive: true });
    if (source !== undefined) await copyTree(source, place.host);
    else if (value.class === 'File') writeFileSync(place.host, value.contents ?? '');
    else mkdirSync(place.host, { recursive: true });
    if (!place.isShown) this.#mount(place.host, place, how.writable);
    if (value.class !== 'Directory' || source !== undefined) return;
    for (const entry of value.listing ?? [])
      await this.#addPath(entry, beside(entry, { ...place, isShown: true }), how);
  }

  #toTarget(name: string, entry: WorkDirEntry, allowAbsolute: boolean): string {
    const { guest } = this.paths.work;
    const path = posix.resolve(guest, name);
    if (path !== guest && isInside(path, guest)) return path;
    const fault = (message: string) =>
      new Failure('runner/entryname', `${formatPlace(entry.place)}: entryname "${name}" ${message}`);
    if (!name.startsWith('/')) throw fault('leads out of the working directory');
    if (allowAbsolute) return path;
    throw fault('is absolute, which needs DockerRequirement under requirements and a container');
  }

  /** Where on the host a path of the working directory lies; other paths get a place in the task's folder. */
  #toPlace(guest: string): Place {
    const { work, folder } = this.paths;
    const isShown = isInside(guest, work.guest);
    const host = isShown ? join(work.host, posix.relative(work.guest, guest)) : join(folder, 'placed', guest);
    return { guest, host, isShown };
  }

  /** False where the same file is there already; a different one of the same name is a fault (CWL v1.2, Directory). */
  #take(guest: string, location: string | undefined): boolean {
    if (!this.#taken.has(guest)) {
      this.#taken.set(guest, location);
      return true;
    }
    if (location !== undefined && this.#taken.get(guest) === location) return false;
    throw new Failure('runner/name-conflict', `two different files are both named ${guest}`, {
      hint: 'Give one of them another basename, or list them in separate directories.',
    });
  }
}

/** A Directory literal has no location, but a place among the inputs. */
function toIdentity(value: PathValue): string | undefined {
  return value.location ?? value.path;
}

/** The path on this host of a value with a location; undefined for a literal. */
export function toHostPath(value: PathValue): string | undefined {
  if (value.location === undefined || value.location.startsWith('_:')) return undefined;
  const path = toLocalPath(value.location);
  if (path === undefined)
    throw new Failure('runner/location', `${value.location} can't be read: only file:, http: and https: are`);
  return path;
}

function checkName(value: PathValue): string {
  const name = value.basename ?? '';
  if (name === '' || name === '.' || name === '..' || name.includes('/')) {
    throw new Failure('runner/name', `a ${value.class} can't be named "${name}"`);
  }
  return name;
}

function setListingPaths(directory: PathValue & { class: 'Directory' }, guest: string): void {
  for (const entry of directory.listing ?? []) {
    setPath(entry, posix.join(guest, entry.basename ?? ''));
    if (entry.class === 'Directory') setListingPaths(entry, entry.path as string);
    else
      for (const secondary of entry.secondaryFiles ?? [])
        setPath(secondary, posix.join(guest, secondary.basename ?? ''));
  }
}

/** Most often the folder is missing, and sometimes those above it. */
function symlinkInto(source: string, target: string): void {
  try {
    symlinkSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(source, target);
  }
}

/** A second name for a file; false where the file system or the kernel refuses it, and for directories. */
function tryLink(source: string, target: string): boolean {
  try {
    mkdirSync(dirname(target), { recursive: true });
    linkSync(realpathSync(source), target);
    return true;
  } catch {
    return false;
  }
}

/** Something to bind over: user namespaces need a mount point of the right kind. */
function makePlaceholder(path: string, source: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (isFolder(source)) mkdirSync(path, { recursive: true });
  else writeFileSync(path, '');
}
