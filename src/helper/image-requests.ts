import { isAbsolute } from 'node:path';
import { Failure, isFailure } from '#base/failure.ts';
import { findBaseImages } from '#image/build-globals.ts';
import { deliverImage, findWantedBlobs, isAtHand, publishUpload, type WantedBlob } from '#image/delivery.ts';
import { openStore, type Store } from '#image/store.ts';
import { findHostPlatform, formatPlatform, parsePlatform } from '#registry/platform.ts';
import { formatReference, parseReference, type Reference } from '#registry/reference.ts';
import { Registry } from '#registry/registry.ts';
import type { Home } from './home.ts';
import { type Fields, takeImagePlace, takeText, takeTexts } from './parameters.ts';

/** Milliseconds after which a registry that has not answered is taken to be out of reach of this node. */
const patience = 8000;

interface WantedImages {
  platform: string;
  wanted: { reference: string; reason?: string }[];
}

/** Answers `image/wanted`. */
export async function findWanted(home: Home, fields: Fields, signal: AbortSignal): Promise<WantedImages> {
  const store = storeOf(home, fields);
  const { mirrors } = takeImagePlace(fields);
  const platform = formatPlatform(findHostPlatform());
  const names = [...takeTexts(fields, 'images'), ...takeTexts(fields, 'dockerFiles').flatMap(findBaseImages)];
  const references = new Map(names.flatMap(tryToParse).map(each => [formatReference(each), each]));
  const missing = [...references].filter(([name]) => !isAtHand(store, name, findHostPlatform()));
  const asks = fields.asks === true;
  const found = await Promise.all(
    missing.map(async ([reference, parsed]) => {
      const reason = asks ? await findObstacle(parsed, mirrors, signal) : undefined;
      return asks && reason === undefined ? [] : [{ reference, reason }];
    }),
  );
  return { platform, wanted: found.flat() };
}

/** Answers `image/blobs`. */
export function findBlobs(home: Home, fields: Fields): { blobs: WantedBlob[] } {
  const [image, layers] = [takeText(fields, 'image'), takeTexts(fields, 'layers')];
  return { blobs: findWantedBlobs(storeOf(home, fields), image, layers, takeClient(fields)) };
}

/** Answers `image/publish`. */
export async function publish(home: Home, fields: Fields, signal: AbortSignal): Promise<void> {
  await publishUpload(storeOf(home, fields), takeText(fields, 'digest'), takeClient(fields), signal);
}

/** Answers `image/deliver`. */
export async function deliver(home: Home, fields: Fields): Promise<void> {
  deliverImage(storeOf(home, fields), {
    reference: takeText(fields, 'reference'),
    platform: parsePlatform(takeText(fields, 'platform')),
    manifest: Buffer.from(takeText(fields, 'manifest'), 'base64'),
    configuration: Buffer.from(takeText(fields, 'configuration'), 'base64'),
  });
}

/** Why this node can't pull the image; undefined where it can. */
async function findObstacle(
  reference: Reference,
  mirrors: Record<string, string> | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const limit = AbortSignal.timeout(patience);
  const registry = new Registry(reference, { mirrors, tries: 1, signal: AbortSignal.any([signal, limit]) });
  try {
    await registry.fetchManifest(reference.digest ?? reference.tag ?? 'latest');
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return `${registry.host} did not answer within ${patience / 1000} s`;
    if (isFailure(error)) return error.message;
    throw error;
  }
}

/** A name that is none is the run's to complain of: it knows the line that it stands in. */
function tryToParse(name: string): Reference[] {
  try {
    return [parseReference(name)];
  } catch {
    return [];
  }
}

function storeOf(home: Home, fields: Fields): Store {
  const { imageStore } = takeImagePlace(fields);
  if (imageStore !== undefined && !isAbsolute(imageStore)) {
    throw new Failure('helper/bad-request', `the image store ${imageStore} is not an absolute path`);
  }
  return openStore(imageStore ?? home.images);
}

/** It becomes a part of a file's name. */
function takeClient(fields: Fields): string {
  const client = takeText(fields, 'client');
  if (/^[A-Za-z0-9]{1,64}$/.test(client)) return client;
  throw new Failure('helper/bad-request', 'client must be of letters and digits');
}
