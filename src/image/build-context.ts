import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { hashEntry } from './build-layer.ts';
import { isPathPattern, parseIgnoreRules, parsePathPattern } from './path-pattern.ts';
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
   * What the words of a COPY name, patterns resolved. Links are followed inside the folder; nothing outside of it can be
   * named. Throws a Failure `image/no-such-source`.
   */
  async find(word: string): Promise<Source[]> {
    const path = fromText(word)
      .split('/')
      .filter(part => part !== '' && part !== '.');
    let depth = 0;
    for (const part of path) {
      depth += part === '..' ? -1 : 1;
      if (depth >= 0) continue;
      throw new Failure('image/outside-context', `${word} is outside of the build context`, {
        hint: 'Only what is below the folder that is given to the build can be copied.',
      });
    }
    const text = path.join('/');
    const names = isPathPattern(text) ? await this.#match(text) : [text];
    const sources: Source[] = [];
    for (const name of names) {
      const source = await this.#load(name);
      if (source) sources.push(source);
    }
    // A pattern may match nothing as long as there is something else to copy.
    if (sources.length > 0 || isPathPattern(text)) return sources;
    throw new Failure('image/no-such-source', `${word} is not in the folder, stage or image to copy from`, {
      hint: this.#rules ? 'It may be left out by .dockerignore.' : undefined,
    });
  }

  async #match(text: string): Promise<string[]> {
    const pattern = parsePathPattern(text);
    const names: string[] = [];
    for await (const { path } of this.#walk('')) if (pattern.test(path)) names.push(path);
    return names;
  }

  async #load(name: string): Promise<Source | undefined> {
    const resolved = resolveInside(this.#root, name);
    const place = resolved === '' ? this.#root : `${this.#root}/${resolved}`;
    const stat = lstatSync(toBytes(place), { throwIfNoEntry: false });
    const isThere = stat && (stat.isDirectory() || !this.#isLeftOut(resolved));
    if (!isThere) return undefined;
    const entries: Source['entries'] = [];
    if (stat.isDirectory()) {
      for await (const entry of this.#walk(resolved)) {
        entries.push({ path: resolved === '' ? entry.path : entry.path.slice(resolved.length + 1), stat: entry.stat });
      }
      if (entries.length === 0 && resolved !== '' && this.#isLeftOut(resolved)) return undefined;
    }
    return { name: name.split('/').pop() ?? '', place, entries, stat };
  }

  /** Paths relative to the root, ignored ones left out; a folder comes with what is kept in it. */
  async *#walk(below: string): AsyncGenerator<{ path: string; stat: Stats }> {
    const prefix = below === '' ? '' : `${below}/`;
    const pending = new Map<string, Stats>();
    const isLeftOut = (path: string, isDirectory: boolean) => {
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
