import { createHash } from 'node:crypto';
import { mkdirSync, statfsSync } from 'node:fs';
import { Failure, isFailure } from '#base/failure.ts';
import { decompress, type Slice } from './decompress.ts';
import { formatBytes } from './disk-failure.ts';
import type { Donor } from './donors.ts';
import { type KeptLayers, LayerKeeper } from './layer-keeper.ts';
import { NeedsLowerLayers } from './layer-tree.ts';
import { makeFifos, prepareRootfs } from './prepare-rootfs.ts';
import { removeTree } from './remove-tree.ts';
import { RootfsWriter } from './rootfs-writer.ts';
import { SharedLayer } from './shared-layer.ts';
import { keepHeapSmall } from './small-heap.ts';
import { type MemberSink, TarReader } from './tar-reader.ts';
import { DownwardUnpacker } from './unpack-down.ts';
import { UnpackReport } from './unpack-report.ts';
import { UpwardUnpacker } from './unpack-up.ts';

/** One layer, on its way or already here. */
export interface Layer {
  /** Of the compressed layer, for messages. */
  name: string;
  /** Digest that the uncompressed layer must have; undefined where nobody says. */
  diffId?: string;
  /** Bytes of it as it travels. */
  size: number;
  /** Resolves when the layer is on this disk and its digest was checked. */
  open(): Promise<Slice>;
}

/** A way to put layers over each other. */
export interface Unpacker extends MemberSink {
  /** Layers are numbered from the lowest, 0. */
  beginLayer(layer: number): void;
  /** All layers were read. Returns the FIFOs that are still to be made: path and mode. */
  finishMembers(): Map<string, number>;
  /** Gives directories their modes and times, the last thing to be done. */
  finishDirectories(): void;
}

export interface UnpackOptions {
  /** Digest of the image, for the marker file. */
  digest: string;
  signal?: AbortSignal;
  /** Called with the bytes of uncompressed layers so far. */
  onBytes?(bytes: number): void;
  limits?: Partial<UnpackLimits>;
  /** Layers of which an earlier image has the files, by diffID. */
  donors?: ReadonlyMap<string, Donor>;
  /** A folder to make, where what later images need of the layers is kept. */
  keepIn?: string;
}

/** Where a hostile archive is stopped. */
export interface UnpackLimits {
  entries: number;
  /** A layer may be this many bytes, or `ratio` times its compressed size, whichever is more. */
  bytes: number;
  ratio: number;
  /** Bytes that stay free on the file system. */
  reserve: number;
}

export interface Unpacked {
  /** Of all files. */
  bytes: number;
  entries: number;
  /** What the rootfs lacks, one line each. */
  notices: string[];
  /** What is in `keepIn`; undefined if nothing is of use there. */
  kept?: KeptLayers;
}

const defaultLimits: UnpackLimits = { entries: 4_000_000, bytes: 4 * 2 ** 30, ratio: 100, reserve: 64 * 2 ** 20 };

/**
 * Makes the root file system of `layers` (lowest first) in `folder`, which must not exist. Nothing is written outside
 * of it, whatever the layers hold. On a failure what is half-made stays, for the caller to remove.
 */
export async function unpackLayers(
  layers: readonly Layer[],
  folder: string,
  options: UnpackOptions,
): Promise<Unpacked> {
  const limits = { ...defaultLimits, ...options.limits };
  const report = new UnpackReport();
  try {
    return await keepHeapSmall(() => unpack('down', layers, folder, options, limits, report));
  } catch (error) {
    if (!(error instanceof NeedsLowerLayers)) throw error;
    removeTree(folder);
    if (options.keepIn !== undefined) removeTree(options.keepIn);
    report.clear();
    // What is in the rootfs at its end is not known when a layer is written.
    return keepHeapSmall(() => unpack('up', layers, folder, { ...options, keepIn: undefined }, limits, report));
  }
}

/** How many bytes so many compressed ones may become. */
export function allowedBytes(compressed: number, limits: Partial<UnpackLimits> = {}): number {
  const { bytes, ratio } = { ...defaultLimits, ...limits };
  return Math.max(bytes, ratio * compressed);
}

/** `what` unpacks to more than the bytes that it may. */
export function tooLarge(what: string, allowed: number): Failure {
  return new Failure('image/too-large', `${what} unpacks to more than ${formatBytes(allowed)}`, {
    hint: 'It is made to fill disks. If it is honest, make the image of several layers.',
  });
}

async function unpack(
  direction: 'down' | 'up',
  layers: readonly Layer[],
  folder: string,
  options: UnpackOptions,
  limits: UnpackLimits,
  report: UnpackReport,
): Promise<Unpacked> {
  mkdirSync(folder, { mode: 0o700 });
  const writer = new RootfsWriter(folder);
  const unpacker: Unpacker =
    direction === 'down'
      ? new DownwardUnpacker(writer, report, limits.entries)
      : new UpwardUnpacker(writer, report, limits.entries);
  const keeper = options.keepIn === undefined ? undefined : new LayerKeeper(options.keepIn, writer, unpacker);
  const order = layers.map((_, i) => (direction === 'down' ? layers.length - 1 - i : i));
  const counter = new ByteCounter(folder, writer, limits, options);
  try {
    for (const index of order) {
      const layer = layers[index] as Layer;
      unpacker.beginLayer(index);
      keeper?.beginLayer(layer.diffId);
      const donor = options.donors?.get(layer.diffId ?? '');
      const shared = donor && new SharedLayer(donor, keeper ?? unpacker, writer);
      try {
        const isDone = await shared?.replay(options.signal);
        if (!isDone) await readLayer(layer, shared?.rest ?? keeper ?? unpacker, counter, options.signal);
      } catch (error) {
        throw isFailure(error, 'image/invalid-layer') ? inLayer(error, layer) : error;
      } finally {
        shared?.close();
      }
      keeper?.endLayer();
    }
    const fifos = unpacker.finishMembers();
    makeFifos(writer, fifos, report);
    prepareRootfs(writer, options.digest);
    unpacker.finishDirectories();
  } finally {
    writer.abandon();
    keeper?.abandon();
  }
  return { bytes: writer.bytes, entries: writer.entries, notices: report.lines, kept: keeper?.finish() };
}

async function readLayer(
  layer: Layer,
  sink: MemberSink,
  counter: ByteCounter,
  signal: AbortSignal | undefined,
): Promise<void> {
  const slice = await layer.open();
  counter.beginLayer(slice.length);
  const hash = createHash('sha256');
  const reader = new TarReader(sink);
  for await (const chunk of decompress(slice, signal)) {
    counter.add(chunk.length);
    if (layer.diffId) hash.update(chunk);
    reader.push(chunk);
    signal?.throwIfAborted();
  }
  reader.finish();
  const found = `sha256:${hash.digest('hex')}`;
  if (layer.diffId && found !== layer.diffId) {
    throw new Failure(
      'image/digest-mismatch',
      `the unpacked layer ${layer.name} has the digest ${found}, not ${layer.diffId}`,
      {
        hint: 'The image was damaged or changed where it is kept. Pull it again, or have it pushed again.',
      },
    );
  }
}

function inLayer({ message, hint, cause }: Failure, { name }: Layer): Failure {
  return new Failure('image/invalid-layer', `${message}, in the layer ${name}`, {
    hint: hint ?? 'Get the image again, or have it made and pushed again.',
    cause,
  });
}

/** Counts what comes out of the layers, and stops a zip bomb before the disk is full. */
class ByteCounter {
  readonly #folder: string;
  readonly #writer: RootfsWriter;
  readonly #limits: UnpackLimits;
  readonly #options: UnpackOptions;
  #all = 0;
  #layer = 0;
  #allowed = 0;
  #checkAt = 0;

  constructor(folder: string, writer: RootfsWriter, limits: UnpackLimits, options: UnpackOptions) {
    this.#folder = folder;
    this.#writer = writer;
    this.#limits = limits;
    this.#options = options;
  }

  beginLayer(compressed: number): void {
    this.#layer = 0;
    this.#allowed = allowedBytes(compressed, this.#limits);
  }

  add(bytes: number): void {
    this.#all += bytes;
    this.#layer += bytes;
    if (this.#layer > this.#allowed) {
      throw tooLarge('a layer', this.#allowed);
    }
    this.#options.onBytes?.(this.#all);
    if (this.#writer.bytes < this.#checkAt) return;
    this.#checkAt = this.#writer.bytes + 256 * 2 ** 20;
    const { bavail, bsize } = statfsSync(this.#folder);
    if (bavail * bsize >= this.#limits.reserve) return;
    throw new Failure(
      'image/disk-full',
      `the disk is full: ${formatBytes(bavail * bsize)} are left where the image goes`,
      {
        hint: 'Free some space (`image prune`), or keep images elsewhere with --image-store.',
      },
    );
  }
}
