import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Failure } from '#base/failure.ts';
import { digestOf, parseDigest } from '#registry/digest.ts';
import { readConfiguration } from '#registry/image-manifest.ts';
import { type Manifest, parseManifest } from '#registry/manifest.ts';
import { formatPlatform, type Platform } from '#registry/platform.ts';
import { spellReference } from '#registry/reference.ts';
import { hashSlice } from './archive.ts';
import { type ConvertOptions, convertImage } from './convert.ts';
import { toDiskFailure } from './disk-failure.ts';
import type { Image } from './image.ts';
import type { Store } from './store.ts';
import type { Layer } from './unpack.ts';

/**
 * Images that another machine has pulled: it puts the blobs that the store lacks into files that this module names, then
 * says under which name the image is wanted. The image becomes a rootfs when it is first asked for.
 */

/** A blob that the store lacks, and the file that an upload of it grows in. */
export interface WantedBlob {
  digest: string;
  path: string;
}

/**
 * Those of an image's layers that have to be brought; none where its rootfs is there already. `client` is of letters and
 * digits; what it left of a broken upload is found again under the same name.
 */
export function findWantedBlobs(store: Store, image: string, layers: readonly string[], client: string): WantedBlob[] {
  for (const digest of [image, ...layers]) hexOf(digest);
  if (store.findImage(image, image)) return [];
  return [...new Set(layers)]
    .filter(digest => !store.hasBlob(digest))
    .map(digest => ({ digest, path: store.temporaries.nameUpload(`blob-${hexOf(digest)}`, client) }));
}

/** Publishes an upload if its digest is right; removes it and throws `image/digest-mismatch` where it is not. */
export async function publishUpload(store: Store, digest: string, client: string, signal?: AbortSignal): Promise<void> {
  const path = store.temporaries.nameUpload(`blob-${hexOf(digest)}`, client);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) {
    // Another connection may have brought the same blob meanwhile.
    if (store.hasBlob(digest)) return;
    throw new Failure('image/not-delivered', `the blob ${digest} did not arrive`, { hint: 'Start the run again.' });
  }
  const found = await hashSlice({ path, start: 0, length: stat.size }, signal);
  if (found !== digest) {
    rmSync(path, { force: true });
    throw new Failure('image/digest-mismatch', `a blob arrived with the digest ${found}, not ${digest}`, {
      hint: 'It was damaged on its way, and nothing of it was kept: try again.',
    });
  }
  store.publishBlob(digest, path);
}

/** What names an image whose layers are in the store. */
export interface Delivery {
  reference: string;
  platform: Platform;
  /** As the registry gave them: their digests name them. */
  manifest: Buffer;
  configuration: Buffer;
}

/** Names the image; throws a Failure, and changes nothing, where it does not fit together or a layer is not there. */
export function deliverImage(store: Store, { reference, platform, manifest, configuration }: Delivery): void {
  const name = spellReference(reference);
  const parsed = parseManifest(manifest, name);
  if (parsed.kind !== 'manifest') {
    throw new Failure('image/invalid-manifest', `${name} was delivered with an index in place of a manifest`);
  }
  if (digestOf(configuration) !== parsed.config.digest) {
    throw new Failure('image/digest-mismatch', `the configuration of ${name} is not the one that its manifest names`);
  }
  readConfiguration(configuration, parsed, platform, name);
  const digest = digestOf(manifest);
  const missing = parsed.layers.find(layer => !store.hasBlob(layer.digest));
  if (missing && !store.findImage(digest, name)) {
    throw new Failure('image/not-delivered', `the layer ${missing.digest} of ${name} did not arrive`, {
      hint: 'Start the run again.',
    });
  }
  try {
    for (const bytes of [configuration, manifest]) {
      const path = store.temporaries.make('blob');
      writeFileSync(path, bytes);
      store.publishBlob(digestOf(bytes), path);
    }
    store.references.save(name, formatPlatform(platform), digest);
  } catch (error) {
    throw toDiskFailure(error, store.folder);
  }
}

/** True for an image that nobody has to be asked for: there is a rootfs, or all that one is made of. */
export function isAtHand(store: Store, name: string, platform: Platform): boolean {
  return (
    store.findReference(name, formatPlatform(platform)) !== undefined ||
    findDelivered(store, name, platform) !== undefined
  );
}

/** Makes the rootfs of an image that was delivered; undefined where none was, or a part of it is gone. */
export async function convertDelivered(
  name: string,
  platform: Platform,
  options: ConvertOptions,
): Promise<Image | undefined> {
  const { store } = options;
  const found = findDelivered(store, name, platform);
  if (!found) return undefined;
  const { digest, manifest } = found;
  const configuration = readConfiguration(found.configuration, manifest, platform, name);
  const layers = manifest.layers.map((layer, i): Layer => {
    const slice = { path: store.blobPath(layer.digest), start: 0, length: layer.size };
    return { name: layer.digest, diffId: configuration.diffIds[i], size: layer.size, open: async () => slice };
  });
  const layerDigests = manifest.layers.map(layer => layer.digest);
  return convertImage({ reference: name, digest, config: configuration.image, layers, layerDigests }, options);
}

/** Digests of a delivered image's manifest, configuration and layers, in this order; none where it was pulled here. */
export function findDeliveredBlobs(store: Store, digest: string): string[] {
  const bytes = readBlob(store, digest);
  const manifest = bytes && (parseManifest(bytes, digest) as Manifest);
  return manifest ? [digest, manifest.config.digest, ...manifest.layers.map(each => each.digest)] : [];
}

interface Delivered {
  digest: string;
  manifest: Manifest;
  configuration: Buffer;
}

function findDelivered(store: Store, name: string, platform: Platform): Delivered | undefined {
  const digest = store.references.findDigest(name, formatPlatform(platform));
  const bytes = digest === undefined ? undefined : readBlob(store, digest);
  if (digest === undefined || !bytes) return undefined;
  const manifest = parseManifest(bytes, name) as Manifest;
  const configuration = readBlob(store, manifest.config.digest);
  const isWhole = configuration && manifest.layers.every(layer => store.hasBlob(layer.digest));
  return isWhole ? { digest, manifest, configuration } : undefined;
}

/** Undefined where it is not there, or no longer what its name says. */
function readBlob(store: Store, digest: string): Buffer | undefined {
  try {
    const bytes = readFileSync(store.blobPath(digest));
    return digestOf(bytes) === digest ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function hexOf(digest: string): string {
  const hex = parseDigest(digest);
  if (hex === undefined) throw new Failure('image/invalid-digest', `${JSON.stringify(digest)} is no digest of SHA-256`);
  return hex;
}
