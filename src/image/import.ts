import { findHostPlatform, formatPlatform } from '#registry/platform.ts';
import { spellReference } from '#registry/reference.ts';
import { fetchArchive, hashSlice, statArchive } from './archive.ts';
import { type ConvertOptions, convertImage } from './convert.ts';
import type { Image } from './image.ts';

export interface ImportOptions extends ConvertOptions {
  /** Its name in the store; default the place it came from, or the digest of what came from the standard input (`-`). */
  reference?: string;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Brings the tar of a root file system (`docker export`, or made by hand) into the store: plain, gzip, zstd, xz or
 * bzip2; a path, a URL, or `-` for the standard input. Such an image has no configuration but a PATH.
 */
export async function importImage(place: string, options: ImportOptions): Promise<Image> {
  const { store, signal } = options;
  const given = options.reference === undefined ? undefined : spellReference(options.reference);
  const file = await fetchArchive(place, store, signal);
  try {
    const slice = { path: file.path, start: 0, length: statArchive(file.path).size };
    const digest = await hashSlice(slice, signal);
    const reference = given ?? (place === '-' ? digest : place);
    const platform = findHostPlatform();
    const config = { env: { PATH: path }, entrypoint: [], command: [], architecture: platform.architecture };
    const name = place === '-' ? 'standard input' : place;
    const layers = [{ name, size: slice.length, open: async () => slice }];
    const image =
      store.findImage(digest, reference) ??
      (await convertImage({ reference, digest, config, layers, layerDigests: [] }, options));
    store.references.save(reference, formatPlatform(platform), digest);
    return await store.openRootfs(image, options);
  } finally {
    file.close();
  }
}
