import { parseDigest } from '#registry/digest.ts';
import { downloadFile } from '#registry/download.ts';
import type { Descriptor } from '#registry/manifest.ts';
import type { Registry } from '#registry/registry.ts';
import { removeTree } from './remove-tree.ts';
import type { Store } from './store.ts';

/**
 * Brings a blob into the store; it is published only if its digest is right. A later process goes on with what a dead
 * one left. `onBytes` is told how many bytes came (negative where some turned out to be useless).
 */
export async function downloadBlob(
  registry: Registry,
  blob: Descriptor,
  store: Store,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  if (store.hasBlob(blob.digest)) {
    onBytes(blob.size);
    return;
  }
  const kind = `blob-${parseDigest(blob.digest)}`;
  const temporary = store.temporaries.adopt(kind) ?? store.temporaries.make(kind);
  try {
    await downloadFile(registry, blob, temporary, onBytes, signal);
    store.publishBlob(blob.digest, temporary);
  } catch (error) {
    // What is broken must not be continued; what was interrupted is worth keeping for the next try of this process.
    removeTree(temporary);
    throw error;
  }
}
