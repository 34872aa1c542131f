import type { ImageConfig } from '#registry/manifest.ts';

/** An image that is ready to run: its root file system is complete on disk and is never written to again. */
export interface Image {
  /** As asked for: `docker.io/library/alpine:latest`. */
  reference: string;
  /** Digest of the manifest, or of the archive it was made from: `sha256:...`. */
  digest: string;
  /** Absolute path of the root file system. */
  rootfs: string;
  config: ImageConfig;
  /** The oldest kernel that its libc starts on, from the ELF note `.note.ABI-tag`: `3.2.0`. */
  minimumKernel?: string;
}
