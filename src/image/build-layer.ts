import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { digestOf } from '#registry/digest.ts';
import { makeFolder } from './make-folder.ts';
import { markerName } from './prepare-rootfs.ts';
import { removeTree } from './remove-tree.ts';
import type { Store } from './store.ts';
import { fromText, TreeCopier, toBytes, walkTree } from './tree.ts';

/** What one instruction of a build changed, kept for later builds under the key of the instruction and its past. */
export interface BuildLayer {
  /** Of the content: the same for the same change. */
  digest: string;
  /** Latin1, relative to the rootfs. */
  removed: string[];
}

/** How the files of a rootfs looked at a moment. */
export type Snapshot = Map<string, Stats>;

export async function takeSnapshot(root: string, signal?: AbortSignal): Promise<Snapshot> {
  const snapshot: Snapshot = new Map();
  const isLeftOut = (path: string) => path === markerName;
  for await (const { path, stat } of walkTree(fromText(root), { signal, isLeftOut })) snapshot.set(path, stat);
  return snapshot;
}

/** The layers of builds in a store: `builds/KEY/` with `root/` and `layer.json`. Published by rename, as all in it. */
export class BuildLayers {
  readonly #store: Store;
  readonly #folder: string;

  constructor(store: Store) {
    this.#store = store;
    this.#folder = store.buildFolder('builds');
    makeFolder(this.#folder);
  }

  find(key: string): BuildLayer | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#place(key), 'layer.json'), 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** Keeps what is different in `root` after a change from what was there before. */
  async save(
    key: string,
    root: string,
    [before, after]: readonly [Snapshot, Snapshot],
    isReplacing: boolean,
    signal?: AbortSignal,
  ): Promise<BuildLayer> {
    const temporary = this.#store.temporaries.make('layer');
    const copy = fromText(join(temporary, 'root'));
    const base = fromText(root);
    try {
      mkdirSync(join(temporary, 'root'), { recursive: true });
      const copier = new TreeCopier();
      const hash = createHash('sha256');
      const made = new Set<string>();
      for (const path of [...after.keys()].sort()) {
        const stat = after.get(path) as Stats;
        if (isSame(before.get(path), stat)) continue;
        for (const parent of parentsOf(path)) {
          if (made.has(parent)) continue;
          made.add(parent);
          copier.copy(`${base}/${parent}`, `${copy}/${parent}`, after.get(parent) as Stats);
        }
        if (made.has(path)) continue;
        if (stat.isDirectory()) made.add(path);
        copier.copy(`${base}/${path}`, `${copy}/${path}`, stat);
        hashEntry(hash, path, `${base}/${path}`, stat);
        signal?.throwIfAborted();
      }
      copier.finish();
      const removed = [...before.keys()].filter(path => !after.has(path));
      hash.update(JSON.stringify(removed));
      const layer: BuildLayer = { digest: `sha256:${hash.digest('hex')}`, removed };
      writeFileSync(join(temporary, 'layer.json'), JSON.stringify(layer));
      this.#publish(key, temporary, isReplacing);
      return layer;
    } catch (error) {
      removeTree(temporary);
      throw error;
    }
  }

  /** Does to `root` what the instruction did. Throws a Failure `image/build-cache` if the layer goes away meanwhile. */
  async apply(key: string, layer: BuildLayer, root: string, signal?: AbortSignal): Promise<void> {
    const base = fromText(root);
    const place = this.#place(key);
    const from = fromText(join(place, 'root'));
    const { ino } = statSync(place);
    for (const path of layer.removed) {
      const parent = toBytes(`${base}/${path.slice(0, Math.max(path.lastIndexOf('/'), 0))}`);
      const mode = lstatSync(parent, { throwIfNoEntry: false })?.mode ?? 0o700;
      removeTree(toBytes(`${base}/${path}`));
      // It was opened where its owner must not change it.
      if ((mode & 0o200) === 0) chmodSync(parent, mode & 0o7777);
    }
    const copier = new TreeCopier();
    for await (const { path, stat } of walkTree(from, { signal })) {
      const to = `${base}/${path}`;
      const old = lstatSync(toBytes(to), { throwIfNoEntry: false });
      if (old && !(old.isDirectory() && stat.isDirectory())) removeTree(toBytes(to));
      copier.copy(`${from}/${path}`, to, stat);
    }
    copier.finish();
    const isSteady = statSync(place, { throwIfNoEntry: false })?.ino === ino && this.find(key)?.digest === layer.digest;
    if (!isSteady)
      throw new Failure('image/build-cache', `${place} was removed during the build`, { hint: 'Try again.' });
  }

  /** Of two builds at once the first one's stays; after `--no-cache` the newer. */
  #publish(key: string, temporary: string, isReplacing: boolean): void {
    const place = this.#place(key);
    for (let tries = 0; ; tries++) {
      try {
        // Somebody may give the space back meanwhile.
        makeFolder(this.#folder);
        renameSync(temporary, place);
        return;
      } catch (error) {
        if (tries === 10) throw error;
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' && existsSync(temporary)) continue;
        if (!existsSync(place)) throw error;
      }
      if (!isReplacing) {
        removeTree(temporary);
        return;
      }
      const old = this.#store.temporaries.make('removed');
      try {
        renameSync(place, old);
        removeTree(old);
      } catch {
        // Another build was faster.
      }
    }
  }

  #place(key: string): string {
    return join(this.#folder, key.replace('sha256:', ''));
  }
}

/** A digest of a file, or of what else is at a path; neither times nor owners count. */
export function hashEntry(hash: ReturnType<typeof createHash>, path: string, place: string, stat: Stats): void {
  const kind = stat.isDirectory() ? 'd' : stat.isSymbolicLink() ? 'l' : stat.isFile() ? 'f' : 'o';
  const content = kind === 'l' ? readlinkSync(toBytes(place), 'latin1') : kind === 'f' ? digestFile(place, stat) : '';
  hash.update(`${JSON.stringify([kind, path, kind === 'l' ? 0 : stat.mode & 0o7777, content])}\n`);
}

function digestFile(place: string, stat: Stats): string {
  const isClosed = (stat.mode & 0o400) === 0;
  if (isClosed) chmodSync(toBytes(place), 0o400);
  const file = openSync(toBytes(place), 'r');
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(Math.min(1 << 20, Math.max(stat.size, 1)));
    for (let count = readSync(file, chunk); count > 0; count = readSync(file, chunk))
      hash.update(chunk.subarray(0, count));
    return hash.digest('hex');
  } finally {
    closeSync(file);
    if (isClosed) chmodSync(toBytes(place), stat.mode & 0o7777);
  }
}

/** The key of an instruction: what was before it, and all that decides what it does. */
export function chainKey(before: string, ...facts: unknown[]): string {
  return digestOf(JSON.stringify([before, ...facts]));
}

function isSame(before: Stats | undefined, after: Stats): boolean {
  if (!before || before.mode !== after.mode || before.ino !== after.ino) return false;
  // The time of a folder changes with what is in it, which is told by the entries themselves.
  return after.isDirectory() || (before.ctimeMs === after.ctimeMs && before.size === after.size);
}

function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'));
}
