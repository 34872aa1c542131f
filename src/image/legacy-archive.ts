import { createHash } from 'node:crypto';
import { Failure } from '#base/failure.ts';
import { digestOf } from '#registry/digest.ts';
import { configLimit, manifestLimit } from '#registry/manifest.ts';
import type { Platform } from '#registry/platform.ts';
import { type Archive, type Candidate, readSlice } from './archive.ts';
import { decompress } from './decompress.ts';

/** What `ID/json` says of a layer, which was an image as well. */
interface LegacyImage {
  id: string;
  parent?: string;
  os?: string;
  architecture?: string;
  created?: string;
  config?: unknown;
}

// Docker's own limit was 127 (moby, image/store.go).
const layerLimit = 1000;

/**
 * The images of `docker save` before Docker 1.10 (moby, image/spec/v1.md): `repositories` names images, each a folder
 * with `json` and `layer.tar` that names its parent. They have no configuration by digest: one is made of what they
 * say and of their layers. Undefined where the archive is none.
 */
export function findLegacy(archive: Archive, place: string, platform: Platform): Candidate[] | undefined {
  const repositories = archive.find('repositories');
  const named = repositories ? parseRepositories(readSlice(repositories, manifestLimit), place) : new Map();
  const ids = named.size > 0 ? [...named.keys()] : findTops(archive, place);
  if (ids.length === 0) return undefined;
  return ids.map(id => ({
    names: named.get(id) ?? [],
    async open(signal) {
      const chain = followParents(archive, id, place);
      const diffIds: string[] = [];
      for (const each of chain) diffIds.push(await hashLayer(archive, each.id, place, signal));
      const { os = 'linux', architecture = platform.architecture, created, config } = chain.at(-1) as LegacyImage;
      const rootfs = { type: 'layers', diff_ids: diffIds };
      const bytes = Buffer.from(JSON.stringify({ os, architecture, created, config, rootfs }));
      const layers = chain.map(each => ({ name: layerName(each.id), file: layerName(each.id) }));
      return { digest: digestOf(bytes), config: bytes, layers };
    },
  }));
}

/** Names of each image: `{ "name": { "tag": "ID" } }`. */
function parseRepositories(bytes: Buffer, place: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const [name, tags] of Object.entries(parseJson(bytes, 'repositories', place))) {
    const entries = typeof tags === 'object' && tags !== null ? Object.entries(tags) : [];
    for (const [tag, id] of entries) names.set(checkId(id, place), [...(names.get(id) ?? []), `${name}:${tag}`]);
  }
  return names;
}

/** Images that are no one's parent: of `docker save ID`, which names none. */
function findTops(archive: Archive, place: string): string[] {
  const ids = archive.list().flatMap(name => /^([0-9a-f]{64})\/json$/.exec(name)?.[1] ?? []);
  const parents = new Set(ids.map(id => readImage(archive, id, place).parent));
  return ids.filter(id => !parents.has(id));
}

/** From the lowest to `id`. */
function followParents(archive: Archive, id: string, place: string): LegacyImage[] {
  const chain: LegacyImage[] = [];
  for (let next: string | undefined = id; next !== undefined; next = chain[0]?.parent) {
    if (chain.length === layerLimit) {
      throw new Failure('image/invalid-archive', `${place} is broken: ${id} has more than ${layerLimit} parents`);
    }
    chain.unshift(readImage(archive, next, place));
  }
  return chain;
}

function readImage(archive: Archive, id: string, place: string): LegacyImage {
  const slice = archive.find(`${id}/json`);
  if (!slice) throw new Failure('image/invalid-archive', `${place} lacks the image ${id}`);
  const json = parseJson(readSlice(slice, configLimit), `${id}/json`, place);
  const text = (key: string) => (typeof json[key] === 'string' && json[key] !== '' ? json[key] : undefined);
  return {
    id,
    parent: text('parent') === undefined ? undefined : checkId(json.parent, place),
    os: text('os'),
    architecture: text('architecture'),
    created: text('created'),
    config: json.config,
  };
}

/** `sha256:...` of the layer as a tar. */
async function hashLayer(archive: Archive, id: string, place: string, signal?: AbortSignal): Promise<string> {
  const slice = archive.find(layerName(id));
  if (!slice) throw new Failure('image/invalid-archive', `${place} lacks the layer ${layerName(id)}`);
  const hash = createHash('sha256');
  for await (const chunk of decompress(slice, signal)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

function layerName(id: string): string {
  return `${id}/layer.tar`;
}

function checkId(id: unknown, place: string): string {
  if (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id)) return id;
  const shown = JSON.stringify(id)?.slice(0, 80);
  throw new Failure('image/invalid-archive', `${place} is broken: ${shown} is not the name of an image`);
}

function parseJson(bytes: Buffer, name: string, place: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {}
  throw new Failure('image/invalid-archive', `${name} of ${place} is no JSON object`, {
    hint: 'Make the archive again with `docker save`.',
  });
}
