import { Failure, isFailure } from '#base/failure.ts';
import type { Log, Progress } from '#base/log.ts';
import { deliverImage, findWantedBlobs, findWantedImages, type ImagePlace, publishBlob } from '#protocol/messages.ts';
import type { FindCredentials } from '#registry/credentials.ts';
import { fetchConfiguration, fetchPlatformManifest, readConfiguration } from '#registry/image-manifest.ts';
import type { Descriptor } from '#registry/manifest.ts';
import { parsePlatform } from '#registry/platform.ts';
import { parseReference } from '#registry/reference.ts';
import { Registry } from '#registry/registry.ts';
import { openFiles } from '#ssh/files.ts';
import { BlobCache } from './blob-cache.ts';
import { findClientName } from './client-name.ts';
import type { Cluster } from './cluster.ts';
import { outliveConnection } from './outlive-connection.ts';
import { type Ends, TransferProgress } from './transfer.ts';
import { uploadFile } from './upload.ts';

/**
 * Who asks the registries: the `cluster` itself; this machine (`local`), which has the user's logins and sends what the
 * cluster lacks over the connection; `auto` is the cluster wherever it can.
 */
export type PullRoute = 'auto' | 'cluster' | 'local';

export interface BringOptions extends ImagePlace {
  route: PullRoute;
  /** On this machine, for what is on its way. */
  cacheFolder: string;
  /** Default: what `docker login` left on this machine. */
  findCredentials?: FindCredentials;
  onProgress?(progress: Progress): void;
  signal?: AbortSignal;
  log?: Log;
}

/**
 * Sees to it that a run finds its images: those that the cluster can't pull are pulled here, and the layers that it lacks
 * sent. What a broken connection or an ended editor left half is gone on with. Returns the names of images it brought;
 * throws a Failure where an image can be had on neither way.
 */
export async function bringImages(
  cluster: Cluster,
  wishes: { images: readonly string[]; dockerFiles: readonly string[] },
  options: BringOptions,
): Promise<string[]> {
  const { route, signal } = options;
  const [images, dockerFiles] = [[...wishes.images], [...wishes.dockerFiles]];
  if (route === 'cluster' || images.length + dockerFiles.length === 0) return [];
  const place = placeOf(options);
  const question = { ...place, images, dockerFiles, asks: route === 'auto' };
  const { platform, wanted } = await cluster.request(findWantedImages, question, signal);
  for (const { reference, reason } of wanted) {
    options.log?.info(`${reference} is pulled on this machine${reason === undefined ? '' : `: ${reason}`}`);
    await bringImage(cluster, reference, platform, options).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (reason === undefined || !isFailure(error) || !error.code.startsWith('image/')) throw error;
      const message = `${reference} can't be pulled by the cluster (${reason}), nor by this machine (${error.message})`;
      throw new Failure(error.code, message, { hint: error.hint, cause: error });
    });
  }
  return wanted.map(each => each.reference);
}

async function bringImage(
  cluster: Cluster,
  reference: string,
  platformName: string,
  options: BringOptions,
): Promise<void> {
  const { mirrors, findCredentials, signal, log } = options;
  const parsed = parseReference(reference);
  const platform = parsePlatform(platformName);
  const registry = new Registry(parsed, { mirrors, findCredentials, signal, log });
  options.onProgress?.({ what: `asking ${registry.host} for ${reference}`, done: 0, unit: 'steps' });
  const wanted = parsed.digest ?? parsed.tag ?? 'latest';
  const { manifest, digest, bytes } = await fetchPlatformManifest(registry, wanted, reference, platform);
  const configuration = await fetchConfiguration(registry, manifest.config, reference);
  readConfiguration(configuration, manifest, platform, reference);
  const cache = new BlobCache(options.cacheFolder, registry, signal);
  try {
    await outliveConnection(
      cluster,
      () => sendLayers(cluster, { reference, digest, layers: manifest.layers }, cache, options),
      signal,
    );
  } finally {
    await cache.close();
  }
  const delivery = { reference, platform: platformName, manifest: toText(bytes), configuration: toText(configuration) };
  await outliveConnection(
    cluster,
    () => cluster.request(deliverImage, { ...placeOf(options), ...delivery }, signal),
    signal,
  );
}

interface SentImage {
  reference: string;
  digest: string;
  layers: readonly Descriptor[];
}

async function sendLayers(cluster: Ends, image: SentImage, cache: BlobCache, options: BringOptions): Promise<void> {
  const { signal } = options;
  const layers = new Map(image.layers.map(layer => [layer.digest, layer]));
  const client = findClientName();
  const question = { ...placeOf(options), image: image.digest, layers: [...layers.keys()], client };
  const { blobs } = await cluster.helper.request(findWantedBlobs, question, signal);
  if (blobs.length === 0) return;
  const uploads = blobs.map(({ digest, path }) => ({ path, layer: layers.get(digest) as Descriptor }));
  const total = uploads.reduce((sum, { layer }) => sum + layer.size, 0);
  const progress = new TransferProgress(`bringing ${image.reference} to the cluster`, total, options);
  cache.want(uploads.map(({ layer }) => layer));
  const files = await openFiles(cluster.connection);
  try {
    for (const { path, layer } of uploads) {
      const send = async () => {
        const read = (offset: number) => cache.read(layer, offset);
        await uploadFile(files, { path, size: layer.size, read }, progress, signal);
        await cluster.helper.request(publishBlob, { ...placeOf(options), digest: layer.digest, client }, signal);
      };
      await send().catch(async error => {
        // What lay there from an earlier upload did not fit: it is gone now, and once more is all that can be done.
        if (!isFailure(error, 'image/digest-mismatch') || !(await cache.isWhole(layer))) throw error;
        return send();
      });
      cache.drop(layer);
    }
  } finally {
    files.close();
  }
}

function placeOf({ imageStore, mirrors }: ImagePlace): ImagePlace {
  return { imageStore, mirrors };
}

function toText(bytes: Buffer): string {
  return bytes.toString('base64');
}
