import { Failure } from '#base/failure.ts';
import { digestOf } from '#registry/digest.ts';
import {
  configLimit,
  type Descriptor,
  invalid,
  manifestLimit,
  parseConfiguration,
  parseManifest,
} from '#registry/manifest.ts';
import { choosePlatform, findHostPlatform, formatPlatform, type Platform } from '#registry/platform.ts';
import { spellReference } from '#registry/reference.ts';
import { type Archive, damaged, fetchArchive, hashSlice, openArchive, readSlice } from './archive.ts';
import { type ConvertOptions, convertImage } from './convert.ts';
import type { Image } from './image.ts';
import type { Layer } from './unpack.ts';

export interface LoadOptions extends ConvertOptions {
  /** Which of the images in the archive, and its name in the store; default the only or first one, under its own name. */
  reference?: string;
  /** Default: this machine's. */
  platform?: Platform;
}

/** An image of an archive, before its layers are read. */
interface Candidate {
  /** Names that the archive gives it. */
  names: string[];
  open(): Promise<{ digest: string; config: Buffer; layers: { name: string; digest?: string; file: string }[] }>;
}

/**
 * Brings an image from an archive into the store: `docker save` (old and new), an OCI archive, or the folder of an OCI
 * layout; compressed or not; a path, a URL, or `-` for the standard input.
 */
export async function loadImage(place: string, options: LoadOptions): Promise<Image> {
  const { store, signal } = options;
  const name = place === '-' ? 'standard input' : place;
  const file = await fetchArchive(place, store, signal);
  try {
    const archive = await openArchive(file.path, name, store, signal);
    try {
      return await loadFrom(archive, name, options);
    } finally {
      archive.close();
    }
  } finally {
    file.close();
  }
}

async function loadFrom(archive: Archive, place: string, options: LoadOptions): Promise<Image> {
  const { store, signal, platform = findHostPlatform() } = options;
  const candidate = chooseCandidate(findCandidates(archive, place, platform), options.reference, place);
  const { digest, config, layers: files } = await candidate.open();
  const reference = nameOf(options.reference, candidate, place === 'standard input' ? digest : place);
  const configuration = parseConfiguration(config, reference);
  if (configuration.diffIds.length !== files.length) {
    throw invalid(reference, `${files.length} layers and ${configuration.diffIds.length} digests of them`);
  }
  if (![platform.architecture, 'unknown'].includes(configuration.image.architecture)) {
    const wanted = formatPlatform(platform);
    throw new Failure('image/no-platform', `${reference} is for ${configuration.image.architecture}, not ${wanted}`);
  }
  const layers = files.map((file, i): Layer => {
    return {
      name: file.name,
      diffId: configuration.diffIds[i],
      async open() {
        const slice = archive.find(file.file);
        if (!slice) throw new Failure('image/invalid-archive', `${place} lacks the layer ${file.file}`);
        if (file.digest && (await hashSlice(slice, signal)) !== file.digest) throw damaged(place, file.digest);
        return slice;
      },
    };
  });
  const image =
    store.findImage(digest, reference) ??
    (await convertImage({ reference, digest, config: configuration.image, layers, layerDigests: [] }, options));
  store.saveReference(reference, formatPlatform(platform), digest);
  return store.openRootfs(image, options);
}

function findCandidates(archive: Archive, place: string, platform: Platform): Candidate[] {
  const manifest = archive.find('manifest.json');
  if (manifest) return findSaved(archive, readSlice(manifest, manifestLimit), place);
  const index = archive.find('index.json');
  if (index && archive.find('oci-layout')) return findOci(archive, readSlice(index, manifestLimit), place, platform);
  throw new Failure('image/invalid-archive', `${place} is neither from \`docker save\` nor an OCI image`, {
    hint: 'The tar of a root file system (`docker export`) is read by `image import` (dockerImport in CWL).',
  });
}

/** `manifest.json` of `docker save`: paths of configurations and layers (moby, image/tarexport). */
function findSaved(archive: Archive, bytes: Buffer, place: string): Candidate[] {
  return parseSaved(bytes, place).map(({ Config = '', RepoTags, Layers = [] }) => ({
    names: RepoTags ?? [],
    async open() {
      const slice = archive.find(Config);
      if (!slice) throw new Failure('image/invalid-archive', `${place} lacks ${Config || 'a configuration'}`);
      const config = readSlice(slice, configLimit);
      const layers = Layers.map(file => ({ name: file, file }));
      // The digest of the configuration is what Docker calls the image's id.
      return { digest: digestOf(config), config, layers };
    },
  }));
}

function parseSaved(
  bytes: Buffer,
  place: string,
): { Config?: string; RepoTags?: string[] | null; Layers?: string[] }[] {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Failure('image/invalid-archive', `the manifest.json of ${place} is not JSON`, { cause });
  }
  const isTexts = (value: unknown) => Array.isArray(value) && value.every(each => typeof each === 'string');
  const isValid =
    Array.isArray(json) &&
    json.every(each => typeof each?.Config === 'string' && isTexts(each.Layers ?? []) && isTexts(each.RepoTags ?? []));
  if (!isValid) {
    throw new Failure('image/invalid-archive', `the manifest.json of ${place} is not what \`docker save\` writes`, {
      hint: 'Make the archive again with `docker save`, or give the folder of an OCI layout.',
    });
  }
  return json as { Config?: string; RepoTags?: string[] | null; Layers?: string[] }[];
}

/** `index.json` of an OCI layout (OCI image-spec v1.1, image-layout.md). */
function findOci(archive: Archive, bytes: Buffer, place: string, platform: Platform): Candidate[] {
  const index = parseManifest(bytes, place);
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
      let descriptor = descriptors.length > 1 ? choosePlatform(descriptors, platform, name || place) : descriptors[0];
      for (let depth = 0; depth < 3; depth++) {
        const { digest } = descriptor as Descriptor;
        const manifest = parseManifest(readBlob(archive, digest, manifestLimit, place), name || place);
        if (manifest.kind === 'manifest') {
          return {
            digest,
            config: readBlob(archive, manifest.config.digest, configLimit, place),
            layers: manifest.layers.map(each => ({
              name: each.digest,
              digest: each.digest,
              file: blobName(each.digest),
            })),
          };
        }
        descriptor = choosePlatform(manifest.manifests, platform, name || place);
      }
      throw invalid(name || place, 'it is an index of indexes without end');
    },
  }));
}

function chooseCandidate(candidates: Candidate[], wanted: string | undefined, place: string): Candidate {
  const [first] = candidates;
  if (!first) throw new Failure('image/invalid-archive', `${place} holds no image`);
  // A name that the archive does not know is the name to give to its only image.
  const named =
    wanted === undefined ? first : candidates.find(each => each.names.some(name => isSameName(name, wanted)));
  if (named) return named;
  if (candidates.length === 1) return first;
  const names = candidates.flatMap(each => each.names).join(', ');
  throw new Failure('image/no-such-image', `${place} has no image ${wanted}`, {
    hint: `It has ${names || 'none with a name'}.`,
  });
}

function isSameName(name: string, wanted: string): boolean {
  return spellReference(name) === spellReference(wanted) || wanted.endsWith(`:${name}`);
}

function nameOf(wanted: string | undefined, candidate: Candidate, place: string): string {
  if (wanted !== undefined) return spellReference(wanted);
  const named = candidate.names.find(each => /[:/]/.test(each));
  if (named) return spellReference(named);
  // OCI layouts often say only a tag.
  return candidate.names[0] ? `${place}:${candidate.names[0]}` : place;
}

function readBlob(archive: Archive, digest: string, limit: number, place: string): Buffer {
  const slice = archive.find(blobName(digest));
  if (!slice) throw new Failure('image/invalid-archive', `${place} lacks the blob ${digest}`);
  return readSlice(slice, limit, digest);
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
