import { Failure } from '#base/failure.ts';
import {
  configLimit,
  type Descriptor,
  invalid,
  type Manifest,
  manifestLimit,
  parseConfiguration,
  parseManifest,
} from '#registry/manifest.ts';
import { choosePlatform, type Platform } from '#registry/platform.ts';
import { type Archive, type Candidate, readSlice } from './archive.ts';

// Indexes may name indexes; one that names more than this is made to keep us busy.
const descriptorLimit = 10_000;

/**
 * The images of an OCI layout: `index.json` names manifests and indexes of them (OCI image-spec v1.1, image-layout.md).
 * Undefined where there is none.
 */
export function findOci(archive: Archive, place: string, platform: Platform): Candidate[] | undefined {
  const slice = archive.find('index.json');
  if (!slice || !archive.find('oci-layout')) return undefined;
  const index = parseManifest(readSlice(slice, manifestLimit), place);
  if (index.kind !== 'index') throw new Failure('image/invalid-archive', `the index.json of ${place} is no index`);
  const byName = new Map<string, Descriptor[]>();
  for (const each of index.manifests) {
    const notes = each.annotations ?? {};
    const name = notes['io.containerd.image.name'] ?? notes['org.opencontainers.image.ref.name'] ?? '';
    byName.set(name, [...(byName.get(name) ?? []), each]);
  }
  return [...byName].map(([name, descriptors]) => ({
    names: name ? [name] : [],
    async open() {
      const { digest, manifest } = new OciArchive(archive, name || place, place).find(descriptors, platform);
      return {
        digest,
        config: readBlob(archive, manifest.config.digest, configLimit, place),
        layers: manifest.layers.map(each => ({ name: each.digest, digest: each.digest, file: blobName(each.digest) })),
      };
    },
  }));
}

/** Looks for the manifest of one image. */
class OciArchive {
  readonly #archive: Archive;
  readonly #name: string;
  readonly #place: string;
  #count = 0;

  constructor(archive: Archive, name: string, place: string) {
    this.#archive = archive;
    this.#name = name;
    this.#place = place;
  }

  find(descriptors: readonly Descriptor[], platform: Platform): { digest: string; manifest: Manifest } {
    const all = this.#flatten(descriptors);
    const { digest } = all.length === 1 ? (all[0] as Descriptor) : choosePlatform(all, platform, this.#name);
    const manifest = this.#read(digest);
    if (manifest.kind === 'index') throw invalid(this.#name, `an index in it says that it is an image`);
    return { digest, manifest };
  }

  /** All manifests below, each with the platform that it, or else its configuration, names. */
  #flatten(descriptors: readonly Descriptor[], depth = 0): Descriptor[] {
    this.#count += descriptors.length;
    if (depth > 8 || this.#count > descriptorLimit) throw invalid(this.#name, 'it is an index of indexes without end');
    return descriptors.flatMap(each => {
      const isIndex = /\.(image\.index|manifest\.list)\./.test(each.mediaType);
      if (!isIndex && each.platform) return [each];
      // An archive of one platform may lack what the others have.
      if (!this.#archive.find(blobName(each.digest)) && descriptors.length > 1) return [];
      const manifest = this.#read(each.digest);
      if (manifest.kind === 'index') return this.#flatten(manifest.manifests, depth + 1);
      return [{ ...each, platform: this.#findPlatform(manifest) }];
    });
  }

  /** Undefined for what is no image, such as signatures. */
  #findPlatform(manifest: Manifest): Platform | undefined {
    try {
      const config = readBlob(this.#archive, manifest.config.digest, configLimit, this.#place);
      const { os, variant, image } = parseConfiguration(config, this.#name);
      return { os, architecture: image.architecture, ...(variant && { variant }) };
    } catch {
      return undefined;
    }
  }

  #read(digest: string) {
    return parseManifest(readBlob(this.#archive, digest, manifestLimit, this.#place), this.#name);
  }
}

function readBlob(archive: Archive, digest: string, limit: number, place: string): Buffer {
  const slice = archive.find(blobName(digest));
  if (!slice) throw new Failure('image/invalid-archive', `${place} lacks the blob ${digest}`);
  return readSlice(slice, limit, digest);
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
