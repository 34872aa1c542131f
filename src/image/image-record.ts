import { readFileSync } from 'node:fs';
import type { ImageConfig } from '#registry/manifest.ts';
import type { KeptLayers } from './layer-keeper.ts';
import type { StoredReference } from './references.ts';

/** What is kept of an image beside its rootfs, in `image.json`. */
export interface ImageRecord {
  digest: string;
  /** The first name that it was made for, which it gets just after it was published. */
  reference?: string;
  config: ImageConfig;
  minimumKernel?: string;
  /** Digests of its layers as they travel, lowest first; empty for images that came from no registry. */
  layers: string[];
  /** Bytes and number of the files in the rootfs. */
  bytes: number;
  entries: number;
  /** What the rootfs lacks of the image, one line each. */
  notices: string[];
  /** What later images can take from its files, in `layers/`. */
  kept?: KeptLayers;
  /** ISO 8601. */
  created: string;
}

/** What an image takes, and its names; several images may share layers. */
export interface StoredImage extends ImageRecord {
  rootfs: string;
  references: StoredReference[];
  /** Bytes of what is kept of its layers for other images. */
  layerBytes: number;
}

/** Undefined where there is no such file, or one that was cut off when a disk filled up. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
