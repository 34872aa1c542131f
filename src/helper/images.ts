import { Failure } from '#base/failure.ts';
import { toLocalPath } from '#cwl/uri.ts';
import type { ImageSource } from '#runner/options.ts';
import type { PreparedEngine } from './container-client.ts';

export interface ImageSourceOptions {
  /** Folder of the image store. */
  store: string;
  /** Registry host to the URL that stands in for it. */
  mirrors: Record<string, string>;
  /** When the registry is asked; `missing` by default. */
  policy?: 'missing' | 'always' | 'never';
  /** The engine that was asked for; builds take a form of PRoot in any case. */
  engine?: string;
  /** What builds do and what their commands write. */
  onOutput?(text: string): void;
}

/**
 * The images that DockerRequirements name: from the store, or else from where the requirement says (CWL v1.2,
 * DockerRequirement). The image room is loaded with the first one.
 */
export function openImageSource({ store: folder, mirrors, policy, engine, onOutput }: ImageSourceOptions): ImageSource {
  return {
    async resolve(requirement, signal, onProgress) {
      const { openImageStore } = await import('./image-store.ts');
      const options = { store: openImageStore(folder), signal, onProgress };
      const { dockerPull, dockerLoad, dockerImport, dockerFile, dockerImageId } = requirement;
      if (dockerPull !== undefined) {
        const { pullImage } = await import('#image/pull.ts');
        return pullImage(dockerPull, { ...options, mirrors, policy });
      }
      if (dockerLoad !== undefined) {
        const { loadImage } = await import('#image/load.ts');
        return loadImage(toPlace(dockerLoad), { ...options, reference: dockerImageId });
      }
      if (dockerImport !== undefined) {
        const { importImage } = await import('#image/import.ts');
        return importImage(toPlace(dockerImport), { ...options, reference: dockerImageId });
      }
      if (dockerImageId !== undefined && dockerFile === undefined) {
        const { pullImage } = await import('#image/pull.ts');
        return pullImage(dockerImageId, { ...options, mirrors, policy });
      }
      if (dockerFile !== undefined) {
        const { buildDockerFile } = await import('./image-build.ts');
        return buildDockerFile(requirement, dockerFile, { ...options, mirrors, policy, engine, onOutput });
      }
      const { uri, range } = requirement.place;
      const line = `${toLocalPath(uri) ?? uri}:${range.start.line + 1}`;
      throw new Failure('image/no-source', `${line}: DockerRequirement names no image`);
    },
  };
}

/** The same, with each image given to the engine where that can't run it from the store. */
export function prepareImages(loadEngine: () => Promise<PreparedEngine>, options: ImageSourceOptions): ImageSource {
  const source = openImageSource(options);
  return {
    async resolve(requirement, signal, onProgress) {
      const image = await source.resolve(requirement, signal, onProgress);
      const { name, prepare } = await loadEngine();
      if (!prepare) {
        (await import('./image-store.ts')).checkExecutable(image.rootfs);
        return image;
      }
      onProgress({ what: `giving ${image.reference} to ${name}`, done: 0, unit: 'steps' });
      return { ...image, rootfs: await prepare(image.rootfs, signal) };
    },
  };
}

function toPlace(reference: string): string {
  return toLocalPath(reference) ?? reference;
}
