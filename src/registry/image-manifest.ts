import { Failure } from '#base/failure.ts';
import { digestOf } from './digest.ts';
import { readBody } from './http.ts';
import {
  type Configuration,
  configLimit,
  type Descriptor,
  invalid,
  type Manifest,
  parseConfiguration,
  parseManifest,
} from './manifest.ts';
import { choosePlatform, formatPlatform, type Platform } from './platform.ts';
import { mismatch, type Registry } from './registry.ts';

/** The manifest of one image for one platform, as it came. */
export interface FoundManifest {
  manifest: Manifest;
  digest: string;
  bytes: Buffer;
}

/** Goes from a tag or digest through indexes to the manifest for `platform`; `name` is for messages. */
export async function fetchPlatformManifest(
  registry: Registry,
  wanted: string,
  name: string,
  platform: Platform,
): Promise<FoundManifest> {
  let at = wanted;
  // An index may hold another one.
  for (let depth = 0; depth < 3; depth++) {
    const { bytes, digest, mediaType } = await registry.fetchManifest(at);
    const parsed = parseManifest(bytes, name, mediaType);
    if (parsed.kind === 'manifest') return { manifest: parsed, digest, bytes };
    at = choosePlatform(parsed.manifests, platform, name).digest;
  }
  throw invalid(name, 'it is an index of indexes without end');
}

/** The bytes of a configuration, whose digest was checked. */
export async function fetchConfiguration(registry: Registry, config: Descriptor, name: string): Promise<Buffer> {
  return registry.retry(`the configuration of ${name}`, async () => {
    const response = await registry.openBlob(config, 0);
    const bytes = await readBody(response, configLimit);
    const found = digestOf(bytes);
    if (found !== config.digest) throw mismatch(`the configuration of ${name}`, config.digest, found, registry.host);
    return bytes;
  });
}

/** Reads the configuration that belongs to a manifest; throws a Failure where it is for another kind of machine. */
export function readConfiguration(bytes: Buffer, manifest: Manifest, platform: Platform, name: string): Configuration {
  const configuration = parseConfiguration(bytes, name);
  checkPlatform(configuration, platform, name);
  if (configuration.diffIds.length !== manifest.layers.length) {
    throw invalid(name, `${manifest.layers.length} layers and ${configuration.diffIds.length} digests of them`);
  }
  return configuration;
}

/** An image without an index may be for another machine. */
function checkPlatform({ os, image }: Configuration, wanted: Platform, name: string): void {
  const isRight = os === wanted.os && [wanted.architecture, 'unknown'].includes(image.architecture);
  if (isRight) return;
  throw new Failure('image/no-platform', `${name} is for ${os}/${image.architecture}, not ${formatPlatform(wanted)}`, {
    hint: 'Look for a tag that was built for this kind of machine.',
  });
}
