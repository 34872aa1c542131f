import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, type Stats } from 'node:fs';
import { join, posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { hashEntry } from './build-layer.ts';
import { isPathPattern, makePathRules, parseIgnoreRules, parsePathPattern } from './path-pattern.ts';
import { markerName } from './prepare-rootfs.ts';
import { resolveInside } from './rootfs-path.ts';
import { fromText, toBytes, walkTree } from './tree.ts';

/** A file or folder that COPY takes. */
export interface Source {
  /** Its own name, latin1; empty for the top. */
  name: string;
  /** On the disk, latin1. */
  place: string;
  /** What is in a folder: paths relative to it. */
  entries: { path: string; stat: Stats }[];
  stat: Stats;
}

export interface FindOptions {
  /** Patterns of `--exclude`. */
  excludes?: readonly string[];
  /** With the folders above what is found (`--parents`). */
  isParents?: boolean;
}

type IsMatch = (path: string) => boolean;

/** A folder that files are copied from: the context of a build, or the rootfs of a stage or image. */
export class BuildContext {
  readonly #root: string;
  readonly #rules: ReturnType<typeof parseIgnoreRules> | undefined;
  readonly #signal: AbortSignal | undefined;

  /** `ignore`: the text of a `.dockerignore`. */
  constructor(folder: string, ignore?: string, signal?: AbortSignal) {
    this.#root = fromText(folder);
    this.#rules = ignore === undefined ? undefined : parseIgnoreRules(fromText(ignore));
    this.#signal = signal;
  }

  /**
   * What a word of COPY names, patterns resolved. Links are followed inside the folder; `..` stops at its top, so nothing
   * outside of it can be named. Throws a Failure `image/no-such-source`.
   */
  async find(word: string, options: FindOptions = {}): Promise<Source[]> {
    const isExcluded = options.excludes?.length ? makePathRules(options.excludes.map(fromText)).isIgnored : undefined;
    const text = fromText(word);
    const found = options.isParents ? await this.#findWithParents(text) : await this.#findEach(text);
    // A pattern may match nothing as long as there is something else to copy.
    if (found.length > 0 || isPathPattern(word))
      return isExcluded ? found.flatMap(each => exclude(each, isExcluded)) : found;
    throw new Failure('image/no-such-source', `${word} is not in the folder, stage or image to copy from`, {
      hint: this.#rules ? 'It may be left out by .dockerignore.' : undefined,
    });
  }

  async #findEach(word: string): Promise<Source[]> {
    const sources: Source[] = [];
    for (const name of await this.#match(cleanPath(word))) {
      const source = await this.#load(name);
      if (source) sources.push(source);
    }
    return sources;
  }

  /** Folders above what matches come with it, from the first `/./` on or from the top (Dockerfile reference, --parents). */
  async #findWithParents(word: string): Promise<Source[]> {
    const pivot = word.indexOf('/./');
    const wanted = cleanPath(pivot < 0 ? word : word.slice(pivot + 3));
    const pattern = parsePathPattern(wanted);
    const sources: Source[] = [];
    for (const name of await this.#match(pivot < 0 ? '' : cleanPath(word.slice(0, pivot)))) {
      const source = await this.#load(name, splitPattern(wanted).folder);
      if (!source?.stat.isDirectory()) continue;
      const isWanted = (path: string) => wanted === '' || prefixesOf(path).some(each => pattern.test(each));
      const entries = keepEntries(source.entries, isWanted);
      if (entries.length > 0) sources.push({ ...source, name: '', entries });
    }
    return sources;
  }

  /** Names of what is there for a pattern; a name without one stands for itself. */
  async #match(text: string): Promise<string[]> {
    if (!isPathPattern(text)) return [text];
    const { folder, rest } = splitPattern(text);
    const top = resolveInside(this.#root, folder);
    if (!lstatSync(toBytes(`${this.#root}/${top}`), { throwIfNoEntry: false })?.isDirectory()) return [];
    const pattern = parsePathPattern(rest);
    const depth = rest.includes('**') ? undefined : rest.split('/').length;
    const names: string[] = [];
    const skip = top === '' ? 0 : top.length + 1;
    for await (const { path } of this.#walk(top, each => depth === undefined || each.split('/').length <= depth)) {
      const name = path.slice(skip);
      if (pattern.test(name)) names.push(folder === '' ? name : `${folder}/${name}`);
    }
    return names;
  }

  /** `below` leaves out of a folder what is neither on the way to this path in it nor below it. */
  async #load(name: string, below = ''): Promise<Source | undefined> {
    const resolved = resolveInside(this.#root, name);
    const place = resolved === '' ? this.#root : `${this.#root}/${resolved}`;
    const stat = lstatSync(toBytes(place), { throwIfNoEntry: false });
    const isThere = stat && (stat.isDirectory() || !this.#isLeftOut(resolved));
    if (!isThere) return undefined;
    const entries: Source['entries'] = [];
    if (stat.isDirectory()) {
      const isNear = (path: string) =>
        below === '' || `${path}/`.startsWith(`${below}/`) || below.startsWith(`${path}/`);
      for await (const entry of this.#walk(resolved, isNear)) {
        entries.push({ path: resolved === '' ? entry.path : entry.path.slice(resolved.length + 1), stat: entry.stat });
      }
      if (entries.length === 0 && resolved !== '' && this.#isLeftOut(resolved)) return undefined;
    }
    return { name: name.split('/').pop() ?? '', place, entries, stat };
  }

  /** Paths relative to the root, ignored ones left out; a folder comes with what is kept in it. */
  async *#walk(below: string, isWanted: IsMatch): AsyncGenerator<{ path: string; stat: Stats }> {
    const prefix = below === '' ? '' : `${below}/`;
    const pending = new Map<string, Stats>();
    const isLeftOut = (path: string, isDirectory: boolean) => {
      if (!isWanted(path)) return true;
      // An exception may let something in an ignored folder through.
      if (isDirectory && this.#rules?.hasExceptions) return false;
      return this.#isLeftOut(prefix + path);
    };
    const root = below === '' ? this.#root : `${this.#root}/${below}`;
    for await (const { path, stat } of walkTree(root, { signal: this.#signal, isLeftOut })) {
      const full = prefix + path;
      if (stat.isDirectory() && this.#isLeftOut(full)) {
        pending.set(full, stat);
        continue;
      }
      for (const [folder, each] of pending.size > 0 ? [...pending] : []) {
        if (!full.startsWith(`${folder}/`)) continue;
        pending.delete(folder);
        yield { path: folder, stat: each };
      }
      yield { path: full, stat };
    }
  }

  #isLeftOut(path: string): boolean {
    return path === markerName || (path !== '' && this.#rules?.isIgnored(path) === true);
  }
}

/** A digest of all that a COPY takes. */
export function digestSources(sources: readonly Source[]): string {
  const hash = createHash('sha256');
  for (const { name, place, entries, stat } of sources) {
    hashEntry(hash, name, place, stat);
    for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
      hashEntry(hash, entry.path, `${place}/${entry.path}`, entry.stat);
    }
  }
  return `sha256:${hash.digest('hex')}`;
}

/** Patterns are relative to what is copied: to a folder's content, or a file's own name. */
function exclude(source: Source, isExcluded: IsMatch): Source[] {
  if (!source.stat.isDirectory()) return isExcluded(source.name) ? [] : [source];
  return [{ ...source, entries: keepEntries(source.entries, path => !isExcluded(path)) }];
}

/** Entries that are wanted, and the folders above them. */
function keepEntries(entries: Source['entries'], isKept: IsMatch): Source['entries'] {
  const kept = new Set(entries.filter(each => isKept(each.path)).flatMap(each => prefixesOf(each.path)));
  return entries.filter(each => kept.has(each.path));
}

/** `a`, `a/b` and `a/b/c` of `a/b/c`. */
function prefixesOf(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

/** The folders before the first part with a pattern, and the rest. */
function splitPattern(text: string): { folder: string; rest: string } {
  const parts = text.split('/');
  const at = parts.findIndex(isPathPattern);
  const end = at < 0 ? parts.length : at;
  return { folder: parts.slice(0, end).join('/'), rest: parts.slice(end).join('/') };
}

/** Relative to the top, which `..` does not leave. */
function cleanPath(text: string): string {
  return posix.normalize(`/${text}`).replace(/^\/|\/$/g, '');
}

/** The rules that hold for a Dockerfile: those of its own before those of the context. */
export function loadIgnoreFile(context: string, dockerfile: string | undefined): string | undefined {
  const places = [...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]), join(context, '.dockerignore')];
  for (const place of places) {
    try {
      return readFileSync(place, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}
