import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseDigest } from '#registry/digest.ts';
import { type ImageRecord, readJson } from './image-record.ts';
import { hiddenName, layersName } from './listing.ts';
import type { Store } from './store.ts';

/** Where the files of a layer are that an earlier image of the store was made of. */
export interface Donor {
  listing: string;
  /** Data of files that are not in the rootfs; perhaps not there. */
  hidden: string;
  rootfs: string;
}

/**
 * Finds for each of the layers, by diffID, the image that has most of its files; none for layers that no image has. What
 * others in a group made is theirs: they could change it, and their quota pays for it.
 */
export function findDonors(store: Store, diffIds: readonly string[]): Map<string, Donor> {
  const donors = new Map<string, Donor>();
  const missing = new Map<string, number>();
  for (const digest of store.listImages()) {
    const folder = store.imageFolder(digest);
    const kept = readJson<ImageRecord>(join(folder, 'image.json'))?.kept?.layers ?? {};
    const known = diffIds.filter(diffId => (kept[diffId] ?? Infinity) < (missing.get(diffId) ?? Infinity));
    const rootfs = join(folder, 'root');
    if (known.length === 0 || !isOwn(folder) || !existsSync(rootfs)) continue;
    const layers = join(folder, layersName);
    for (const diffId of known) {
      missing.set(diffId, kept[diffId] as number);
      donors.set(diffId, {
        listing: join(layers, parseDigest(diffId) ?? ''),
        hidden: join(layers, hiddenName),
        rootfs,
      });
    }
  }
  return donors;
}

/** Also for root, who may link any file: its owner could change it later. */
function isOwn(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.();
}
