import { Failure } from '#base/failure.ts';
import { invalid, parseConfiguration } from '#registry/manifest.ts';
import { findHostPlatform, formatPlatform, type Platform } from '#registry/platform.ts';
import { spellReference } from '#registry/reference.ts';
import { type Archive, type Candidate, damaged, fetchArchive, hashSlice, openArchive } from './archive.ts';
import { type ConvertOptions, convertImage } from './convert.ts';
import type { Image } from './image.ts';
import { findLegacy } from './legacy-archive.ts';
import { findOci } from './oci-archive.ts';
import { findSaved } from './saved-archive.ts';
import type { Layer } from './unpack.ts';

export interface LoadOptions extends ConvertOptions {
  /** Which of the images in the archive, and its name in the store; default the only or first one, under its own name. */
  reference?: string;
  /** Default: this machine's. */
  platform?: Platform;
}

/**
 * Brings an image from an archive into the store: `docker save` (of all times), an OCI archive, or the folder of an OCI
 * layout; compressed or not; a path, a URL, or `-` for the standard input.
 */
export async function loadImage(place: string, options: LoadOptions): Promise<Image> {
  return withArchive(place, options, async (archive, name) => {
    const candidate = chooseCandidate(findAll(archive, name, options), options.reference, name);
    return (await loadFrom(archive, candidate, name, options)).image;
  });
}

/** Brings all images of an archive into the store, under all their names, as `docker load` does. */
export async function loadImages(place: string, options: Omit<LoadOptions, 'reference'>): Promise<Loaded[]> {
  return withArchive(place, options, async (archive, name) => {
    const candidates = findAll(archive, name, options);
    // It says what is wrong with none.
    chooseCandidate(candidates, undefined, name);
    const all: Loaded[] = [];
    for (const candidate of candidates) all.push(await loadFrom(archive, candidate, name, options));
    return all;
  });
}

export interface Loaded {
  image: Image;
  names: string[];
}

async function withArchive<T>(
  place: string,
  options: LoadOptions,
  act: (archive: Archive, name: string) => Promise<T>,
): Promise<T> {
  const { store, signal } = options;
  const name = place === '-' ? 'standard input' : place;
  const file = await fetchArchive(place, store, signal);
  try {
    const archive = await openArchive(file.path, name, store, options);
    try {
      return await act(archive, name);
    } finally {
      archive.close();
    }
  } finally {
    file.close();
  }
}

function findAll(archive: Archive, place: string, { platform = findHostPlatform() }: LoadOptions): Candidate[] {
  return findCandidates(archive, place, platform);
}

async function loadFrom(archive: Archive, candidate: Candidate, place: string, options: LoadOptions): Promise<Loaded> {
  const { store, signal, platform = findHostPlatform() } = options;
  const { digest, config, layers: files } = await candidate.open(signal);
  const names = namesOf(options.reference, candidate, place === 'standard input' ? digest : place);
  const reference = names[0] as string;
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
      size: archive.find(file.file)?.length ?? 0,
      async open() {
        const slice = archive.find(file.file);
        if (!slice) throw new Failure('image/invalid-archive', `${place} lacks the layer ${file.file}`);
        if (file.digest && (await hashSlice(slice, signal)) !== file.digest) throw damaged(place, file.digest);
        return slice;
      },
    };
  });
  const source = { reference, digest, config: configuration.image, layers, layerDigests: [] };
  const image = store.findImage(digest, reference) ?? (await convertImage(source, options));
  for (const each of names) store.references.save(each, formatPlatform(platform), digest);
  return { image: await store.openRootfs(image, options), names };
}

function findCandidates(archive: Archive, place: string, platform: Platform): Candidate[] {
  const candidates =
    findSaved(archive, place) ?? findOci(archive, place, platform) ?? findLegacy(archive, place, platform);
  if (candidates) return candidates;
  throw new Failure('image/invalid-archive', `${place} is neither from \`docker save\` nor an OCI image`, {
    hint: 'The tar of a root file system (`docker export`) is read by `image import` (dockerImport in CWL).',
  });
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

/** The wanted one, or all that the archive has. */
function namesOf(wanted: string | undefined, candidate: Candidate, place: string): string[] {
  if (wanted !== undefined) return [spellReference(wanted)];
  const named = candidate.names.filter(each => /[:/]/.test(each));
  if (named.length > 0) return named.map(spellReference);
  // OCI layouts often say only a tag.
  return [candidate.names[0] ? `${place}:${candidate.names[0]}` : place];
}
