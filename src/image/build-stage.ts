import { chmodSync, lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildState } from './build-config.ts';
import { type BuildLayer, type BuildLayers, chainKey, type Snapshot, takeSnapshot } from './build-layer.ts';
import { toDiskFailure } from './disk-failure.ts';
import type { Image } from './image.ts';
import { findMinimumKernel } from './minimum-kernel.ts';
import { markerName, prepareRootfs } from './prepare-rootfs.ts';
import { removeTree } from './remove-tree.ts';
import { RootfsWriter } from './rootfs-writer.ts';
import type { Store } from './store.ts';
import { copyTree, fromText, toBytes, walkTree } from './tree.ts';

/** The longest tick of a kernel's clock for files, twice; ms. */
const tick = 20;

/** What all stages of one build share. */
export interface StageContext {
  store: Store;
  layers: BuildLayers;
  isCached: boolean;
  signal: AbortSignal;
}

/**
 * The file system of a stage: an image, or nothing, and the layers on top of it. There are no files as long as all layers
 * come from earlier builds; the first instruction that none knows makes a private copy.
 */
export class BuildStage {
  readonly state: BuildState;
  readonly minimumKernel: string | undefined;
  readonly #context: StageContext;
  readonly #base: Image | undefined;
  readonly #layers: { key: string; layer: BuildLayer }[];
  readonly #parent: BuildStage | undefined;
  /** Layers of the stage that this one goes on from. */
  readonly #inherited: number;
  #key: string;
  #work: string | undefined;
  #made: Promise<string> | undefined;
  #snapshot: Snapshot = new Map();

  /** On an image, on an earlier stage, or on nothing. */
  constructor(context: StageContext, base: Image | BuildStage | undefined, state: BuildState) {
    this.#context = context;
    this.state = state;
    this.#parent = base instanceof BuildStage ? base : undefined;
    this.#base = base instanceof BuildStage ? base.#base : base;
    this.#layers = base instanceof BuildStage ? [...base.#layers] : [];
    this.#inherited = this.#layers.length;
    this.minimumKernel = base?.minimumKernel;
    this.#key = base instanceof BuildStage ? base.#key : chainKey('build', base?.digest ?? 'scratch');
  }

  /** Digest of the files: the same for the same base and the same changes. */
  get digest(): string {
    return chainKey('files', this.#base?.digest ?? 'scratch', ...this.#layers.map(each => each.layer.digest));
  }

  /** An instruction that changes no file counts for those after it. */
  note(...facts: unknown[]): void {
    this.#key = chainKey(this.#key, ...facts);
  }

  /**
   * Lets `action` change the files, unless an earlier build did the same to the same; `facts` is all that decides what
   * it does. Returns whether it was known.
   */
  async change(facts: unknown[], action: (root: string) => Promise<void> | void): Promise<boolean> {
    const { layers, isCached, signal } = this.#context;
    const key = chainKey(this.#key, ...facts);
    const known = isCached ? layers.find(key) : undefined;
    if (known) {
      if (this.#work !== undefined) {
        await layers.apply(key, known, this.#root, signal);
        this.#snapshot = await takeSnapshot(this.#root, signal);
      }
      this.#add(key, known);
      return true;
    }
    const root = await this.materialise();
    // File systems tell times in ticks: a change in the tick of the snapshot could not be seen.
    await sleep(tick);
    await action(root);
    const after = await takeSnapshot(root, signal);
    dropSetId(root, after);
    const layer = await layers.save(key, root, [this.#snapshot, after], !isCached, signal);
    this.#snapshot = after;
    this.#add(key, layer);
    return false;
  }

  /** The files on the disk, in a folder of this stage alone. */
  materialise(): Promise<string> {
    // Several sources may be looked for at once.
    this.#made ??= this.#make();
    return this.#made;
  }

  async #make(): Promise<string> {
    const { store, layers, signal } = this.#context;
    const work = store.temporaries.make('build');
    this.#work = work;
    mkdirSync(work);
    const ahead = this.#parent?.workRoot;
    const from = ahead ?? this.#base?.rootfs;
    if (from === undefined) makeEmptyRootfs(this.#root);
    else await copyTree(fromText(from), fromText(this.#root), signal);
    // The files of a stage that this one goes on from have its layers; this one adds its own later.
    const missing = ahead !== undefined ? this.#layers.slice(this.#inherited) : this.#layers;
    for (const { key, layer } of missing) await layers.apply(key, layer, this.#root, signal);
    this.#snapshot = await takeSnapshot(this.#root, signal);
    return this.#root;
  }

  /** Publishes the files with the configuration. */
  async publish(reference: string | undefined): Promise<Image> {
    const { store, signal } = this.#context;
    const { config } = this.state;
    const digest = chainKey('image', this.digest, config);
    const name = reference ?? digest;
    const known = store.findImage(digest, name);
    if (known) return store.openRootfs(known, { signal });
    try {
      const root = await this.materialise();
      rmSync(join(root, markerName), { force: true });
      writeFileSync(join(root, markerName), `${digest}\n`, { mode: 0o444, flag: 'wx' });
      let [bytes, entries] = [0, 0];
      for await (const { stat } of walkTree(fromText(root), { signal })) {
        entries++;
        if (stat.isFile()) bytes += stat.size;
      }
      signal.throwIfAborted();
      const created = new Date().toISOString();
      const minimumKernel = findMinimumKernel(root);
      const record = { digest, config, minimumKernel, layers: [], bytes, entries, notices: [], created };
      return await store.publishImage(record, { folder: this.#work as string, root }, name, signal);
    } catch (error) {
      throw toDiskFailure(error, store.folder);
    }
  }

  /** Gives the folder back. */
  end(): void {
    if (this.#work !== undefined) removeTree(this.#work);
    this.#work = undefined;
  }

  /** Undefined as long as there are no files. */
  get workRoot(): string | undefined {
    return this.#work === undefined ? undefined : this.#root;
  }

  get #root(): string {
    return join(this.#work ?? '', 'root');
  }

  #add(key: string, layer: BuildLayer): void {
    this.#layers.push({ key, layer });
    // What comes next depends on what was made, not on what was said.
    this.#key = chainKey(key, layer.digest);
  }
}

function makeEmptyRootfs(root: string): void {
  mkdirSync(root, { mode: 0o755 });
  prepareRootfs(new RootfsWriter(root), 'scratch');
}

/** Set-id bits would let everyone who can reach the store act as its owner: images of registries have none either. */
function dropSetId(root: string, snapshot: Snapshot): void {
  for (const [path, { mode }] of snapshot) {
    if ((mode & 0o6000) === 0) continue;
    const place = toBytes(`${fromText(root)}/${path}`);
    chmodSync(place, mode & 0o1777);
    snapshot.set(path, lstatSync(place));
  }
}
