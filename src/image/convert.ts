import { dirname, join } from 'node:path';
import { isFailure } from '#base/failure.ts';
import type { Log, Progress } from '#base/log.ts';
import type { ImageConfig } from '#registry/manifest.ts';
import { checkSpace, toDiskFailure } from './disk-failure.ts';
import { findDonors } from './donors.ts';
import type { Image } from './image.ts';
import { layersName } from './listing.ts';
import { findMinimumKernel } from './minimum-kernel.ts';
import type { Draft, Store } from './store.ts';
import { type Layer, type UnpackLimits, unpackLayers } from './unpack.ts';

/** What all ways to an image are given. */
export interface ConvertOptions {
  store: Store;
  signal?: AbortSignal;
  onProgress?(progress: Progress): void;
  log?: Log;
  /** Where a hostile archive is stopped; the defaults are for any honest one. */
  limits?: Partial<UnpackLimits>;
}

/** What is known of an image before its layers are unpacked. */
export interface ImageSource {
  reference: string;
  /** Digest of the image: the name of its rootfs in the store. */
  digest: string;
  config: ImageConfig;
  /** Lowest first. */
  layers: Layer[];
  /** Digests of the compressed layers that are in the store, lowest first. */
  layerDigests: string[];
  /** Told first which layers will be opened, the highest first. Others may be as well, if an earlier image goes away. */
  prefetch?(layers: Layer[]): void;
}

/** Unpacks the layers and publishes the rootfs; on a failure nothing is left of it. */
export async function convertImage(source: ImageSource, options: ConvertOptions): Promise<Image> {
  const { store, signal, onProgress, log } = options;
  const { reference, digest, config, layers, layerDigests } = source;
  store.temporaries.clean(kind => kind.startsWith('blob-'));
  let draft: Draft | undefined;
  try {
    const donors = store.isPacking
      ? undefined
      : findDonors(
          store,
          layers.map(each => each.diffId ?? ''),
        );
    const missing = layers.filter(each => !donors?.has(each.diffId ?? '')).reverse();
    source.prefetch?.(missing);
    draft = store.draftImage();
    const { folder, root } = draft;
    // What is unpacked is seldom smaller than what travels.
    checkSpace(
      dirname(root),
      missing.reduce((sum, each) => sum + each.size, 0),
    );
    const { bytes, entries, notices, kept } = await unpackLayers(layers, root, {
      digest,
      signal,
      donors,
      keepIn: store.isPacking ? undefined : join(folder, layersName),
      limits: options.limits,
      onBytes: done => onProgress?.({ what: `unpacking ${reference}`, done, unit: 'bytes' }),
    });
    for (const notice of notices) log?.info(`${reference}: ${notice}`);
    const minimumKernel = findMinimumKernel(root);
    const created = new Date().toISOString();
    const record = { digest, config, minimumKernel, layers: layerDigests, bytes, entries, notices, kept, created };
    return await store.publishImage(record, draft, reference, signal);
  } catch (error) {
    // Asked before the space is given back.
    const failure = toDiskFailure(error, store.folder);
    if (draft) store.discard(draft);
    // Layers that were kept from earlier may have been damaged on the disk since: the next try brings them anew.
    if (isFailure(error, 'image/digest-mismatch') || isFailure(error, 'image/invalid-layer')) {
      for (const each of layerDigests) store.removeBlob(each);
    }
    signal?.throwIfAborted();
    throw failure;
  }
}
