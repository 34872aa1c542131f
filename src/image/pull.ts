import { Failure } from '#base/failure.ts';
import type { FindCredentials } from '#registry/credentials.ts';
import {
  type FoundManifest,
  fetchConfiguration,
  fetchPlatformManifest,
  readConfiguration,
} from '#registry/image-manifest.ts';
import type { Descriptor } from '#registry/manifest.ts';
import { findHostPlatform, formatPlatform, type Platform } from '#registry/platform.ts';
import { formatReference, parseReference } from '#registry/reference.ts';
import { Registry } from '#registry/registry.ts';
import { type ConvertOptions, convertImage } from './convert.ts';
import type { Slice } from './decompress.ts';
import { convertDelivered } from './delivery.ts';
import { checkSpace, toDiskFailure } from './disk-failure.ts';
import { downloadBlob } from './download.ts';
import type { Image } from './image.ts';
import type { Store } from './store.ts';
import type { Layer } from './unpack.ts';

export interface PullOptions extends ConvertOptions {
  /** Registry host to the URL that stands in for it: `{ "docker.io": "http://127.0.0.1:5000" }`. */
  mirrors?: Record<string, string>;
  /** Default: this machine's. */
  platform?: Platform;
  /** `missing` (default) asks the registry only for what is not in the store, `always` every time, `never` not at all. */
  policy?: 'missing' | 'always' | 'never';
  /** Default: what `docker login` left on this machine. */
  findCredentials?: FindCredentials;
  /** First wait before a second try, in ms; it doubles. */
  retryDelay?: number;
}

/**
 * Brings an image from its registry into the store, as a root file system that is ready to run. Any number of processes
 * can do so at once. One that another machine has delivered is taken from the store. On a failure nothing half-made is left.
 */
export async function pullImage(reference: string, options: PullOptions): Promise<Image> {
  const parsed = parseReference(reference);
  const name = formatReference(parsed);
  const { store, policy = 'missing', platform = findHostPlatform() } = options;
  const platformName = formatPlatform(platform);
  const signal = options.signal ?? new AbortController().signal;
  try {
    if (policy !== 'always') {
      const stored = store.findReference(name, platformName) ?? (await convertDelivered(name, platform, options));
      if (stored) return stored;
    }
    if (policy === 'never') {
      throw new Failure('image/not-in-store', `${name} is not in ${store.folder}, and must not be pulled`, {
        hint: 'Pull it first with `image pull`, or allow pulling.',
      });
    }
    const registry = new Registry(parsed, { ...options, signal });
    const found = await fetchPlatformManifest(registry, parsed.digest ?? parsed.tag ?? 'latest', name, platform);
    const image =
      store.findImage(found.digest, name) ?? (await fetchImage(registry, found, name, { ...options, signal }));
    store.references.save(name, platformName, found.digest);
    return await store.openRootfs(image, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw toDiskFailure(error, store.folder);
  }
}

async function fetchImage(
  registry: Registry,
  { manifest, digest }: FoundManifest,
  name: string,
  options: PullOptions & { signal: AbortSignal },
): Promise<Image> {
  const { store, platform = findHostPlatform(), onProgress, signal } = options;
  const bytes = await fetchConfiguration(registry, manifest.config, name);
  const configuration = readConfiguration(bytes, manifest, platform, name);
  const sum = (layers: { size: number }[]) => layers.reduce((bytes, layer) => bytes + layer.size, 0);
  let [done, total] = [0, 0];
  const downloads = new Downloads(registry, store, signal, bytes => {
    done += bytes;
    onProgress?.({ what: `pulling ${name}`, done, total, unit: 'bytes' });
  });
  const layers = manifest.layers.map((layer, i): Layer => {
    const { digest, size } = layer;
    return { name: digest, diffId: configuration.diffIds[i], size, open: () => downloads.open(layer) };
  });
  const prefetch = (wanted: Layer[]) => {
    const missing = wanted.filter(layer => !store.hasBlob(layer.name));
    // What is unpacked is seldom smaller than what travels.
    checkSpace(store.folder, sum(missing) + sum(wanted));
    total = sum(wanted);
    downloads.start(wanted.map(layer => manifest.layers[layers.indexOf(layer)] as Descriptor));
  };
  const layerDigests = manifest.layers.map(layer => layer.digest);
  try {
    const source = { reference: name, digest, config: configuration.image, layers, layerDigests, prefetch };
    return await convertImage(source, options);
  } finally {
    await downloads.end();
  }
}

// Registries and proxies throttle those who open many connections.
const parallel = 3;

/** Layers on their way, a few at a time, in the order in which they will be needed. */
class Downloads {
  readonly #registry: Registry;
  readonly #store: Store;
  readonly #signal: AbortSignal;
  readonly #onBytes: (bytes: number) => void;
  readonly #running = new Map<string, Promise<void>>();
  readonly #end = new AbortController();

  constructor(registry: Registry, store: Store, signal: AbortSignal, onBytes: (bytes: number) => void) {
    this.#registry = registry;
    this.#store = store;
    this.#signal = AbortSignal.any([signal, this.#end.signal]);
    this.#onBytes = onBytes;
  }

  start(layers: readonly Descriptor[]): void {
    const jobs: (() => Promise<void>)[] = [];
    for (const layer of new Map(layers.map(each => [each.digest, each])).values()) {
      const promise = new Promise<void>((resolve, reject) => {
        jobs.push(() => this.#download(layer).then(resolve, reject));
      });
      // Whoever opens the layer gets the error; one that is never opened must not end the process.
      promise.catch(() => {});
      this.#running.set(layer.digest, promise);
    }
    const work = async () => {
      for (let job = jobs.shift(); job; job = jobs.shift()) await job();
    };
    for (let i = 0; i < parallel; i++) void work();
  }

  async open(layer: Descriptor): Promise<Slice> {
    await this.#running.get(layer.digest);
    // Another process may have pruned it in the meantime.
    if (!this.#store.hasBlob(layer.digest)) await this.#download(layer);
    return { path: this.#store.blobPath(layer.digest), start: 0, length: layer.size };
  }

  /** Ends those that go on after a failure of another one, and waits until they have left nothing behind. */
  async end(): Promise<void> {
    this.#end.abort();
    await Promise.allSettled(this.#running.values());
  }

  #download(layer: Descriptor): Promise<void> {
    return downloadBlob(this.#registry, layer, this.#store, this.#onBytes, this.#signal);
  }
}
