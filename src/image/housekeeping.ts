import { statSync, unlinkSync } from 'node:fs';
import { Failure } from '#base/failure.ts';
import { findDeliveredBlobs } from './delivery.ts';
import type { StoredImage } from './image-record.ts';
import type { Store } from './store.ts';

/** What was given back. */
export interface Freed {
  images: string[];
  layers: number;
  /** Of files that no other image has as well. */
  bytes: number;
}

/** Removes an image, its names, and the layers that no other image has. Throws a Failure for what somebody else made. */
export function removeImage(store: Store, image: StoredImage): Freed {
  checkOwner(store, image);
  for (const each of image.references) store.references.remove(each);
  const freed: Freed = { images: [image.digest], layers: 0, bytes: 0 };
  store.removeImage(image.digest, freed);
  const shared = new Set([...store.list().flatMap(each => each.layers), ...findWaiting(store)]);
  for (const layer of image.layers) if (!shared.has(layer)) freeBlob(store, layer, freed);
  // What named it when another machine brought it.
  for (const blob of findDeliveredBlobs(store, image.digest).slice(0, 2)) store.removeBlob(blob);
  return freed;
}

/**
 * Removes images that no name means any more, layers of no image, and what dead processes left. With `isAll` also the
 * layers of images that are complete, which are only needed when another image shares them, images that were delivered
 * and never used, and what builds keep.
 */
export function pruneStore(store: Store, isAll = false): Freed {
  store.temporaries.clean();
  const freed: Freed = { images: [], layers: 0, bytes: 0 };
  const references = store.references.list();
  const named = new Set(references.map(each => each.digest));
  const times = new Map(references.map(each => [each.reference, Date.parse(each.time)]));
  // What comes while this looks around is not for it: first what is there, then what is known of it.
  const digests = store.listImages();
  const records = new Map(store.list().map(each => [each.digest, each]));
  for (const digest of digests) {
    const record = records.get(digest);
    if (record && (named.has(digest) || isAboutToBeNamed(record, times))) continue;
    // What others in the group made is theirs to remove.
    if (!isOwn(store.imageFolder(digest))) continue;
    store.removeImage(digest, freed);
    freed.images.push(digest);
  }
  const needed = new Set(isAll ? [] : [...store.list().flatMap(each => each.layers), ...findWaiting(store)]);
  if (isAll) for (const name of ['builds', 'build-mounts'] as const) store.removeFolder(store.buildFolder(name), freed);
  for (const digest of store.listBlobs()) if (!needed.has(digest)) freeBlob(store, digest, freed);
  for (const each of store.references.list()) {
    if (!store.hasImage(each.digest) && !store.hasBlob(each.digest)) store.references.remove(each);
  }
  return freed;
}

/**
 * Whoever has published an image just now gives it its name next, unless it dies in between. `times`: when each name got
 * its last meaning.
 */
function isAboutToBeNamed({ digest, reference, created }: StoredImage, times: ReadonlyMap<string, number>): boolean {
  if (reference === undefined || reference === digest) return false;
  const made = Date.parse(created);
  return (times.get(reference) ?? 0) < made && Date.now() - made < patience;
}

/** Milliseconds. */
const patience = 10 * 60_000;

/** The blobs of images that another machine brought and that were not unpacked yet. */
function findWaiting(store: Store): string[] {
  const waiting = store.references.list().filter(each => !store.hasImage(each.digest));
  return waiting.flatMap(each => findDeliveredBlobs(store, each.digest));
}

function freeBlob(store: Store, digest: string, freed: Freed): void {
  const path = store.blobPath(digest);
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  try {
    unlinkSync(path);
    freed.layers++;
    freed.bytes += bytes;
  } catch {
    // Another process removed it.
  }
}

function checkOwner(store: Store, { digest, references }: StoredImage): void {
  const folder = store.imageFolder(digest);
  if (isOwn(folder)) return;
  const name = references[0]?.reference ?? digest;
  throw new Failure('image/not-yours', `${name} was made by the user with the number ${statSync(folder).uid}`, {
    hint: 'Only they can remove it.',
  });
}

/** True for what is not there, too. Root owns all. */
function isOwn(path: string): boolean {
  const user = process.getuid?.();
  return user === 0 || (statSync(path, { throwIfNoEntry: false })?.uid ?? user) === user;
}
