import { Failure } from '#base/failure.ts';
import { parseDigest } from './digest.ts';
import type { Platform } from './platform.ts';

/** What an image says about how to run it (OCI image-spec v1.1, config.md). */
export interface ImageConfig {
  env: Record<string, string>;
  entrypoint: string[];
  command: string[];
  workingDirectory?: string;
  user?: string;
  architecture: string;
  /** The rest is kept for those who ask for it; nothing here acts on it, but builds on `onBuild` and `shell`. */
  labels?: Record<string, string>;
  /** `8080/tcp`. */
  exposedPorts?: string[];
  volumes?: string[];
  stopSignal?: string;
  /** In Docker's words: Test, Interval, Timeout, StartPeriod (nanoseconds), Retries. */
  healthcheck?: Record<string, unknown>;
  /** What RUN, CMD and ENTRYPOINT in shell form are given to. */
  shell?: string[];
  /** Instructions for builds on top of this image. */
  onBuild?: string[];
  author?: string;
}

/** Points at a blob or a manifest (OCI image-spec v1.1, descriptor.md). */
export interface Descriptor {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  platform?: Platform;
  annotations?: Record<string, string>;
}

export interface Manifest {
  kind: 'manifest';
  config: Descriptor;
  /** Lowest first. */
  layers: Descriptor[];
}

/** Manifests for several platforms. */
export interface Index {
  kind: 'index';
  manifests: Descriptor[];
}

/** The configuration of an image, as far as it matters here. */
export interface Configuration {
  image: ImageConfig;
  os: string;
  variant?: string;
  /** Digests of the uncompressed layers, lowest first. */
  diffIds: string[];
}

/** All of them, or a registry answers with schema 1 or not at all. */
export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** Manifests and configurations beyond these sizes (bytes) are refused before they fill the memory. */
export const manifestLimit = 4 << 20;
export const configLimit = 8 << 20;

/** Reads a manifest or index; throws a Failure `image/invalid-manifest` or `image/schema-1`. `name` is for messages. */
export function parseManifest(bytes: Buffer, name: string, mediaType = ''): Manifest | Index {
  const json = parseObject(bytes, name, 'manifest');
  if (json.schemaVersion === 1 || /docker\.distribution\.manifest\.v1\+/.test(mediaType)) {
    throw new Failure('image/schema-1', `${name} has only a manifest of schema 1, which was given up in 2017`, {
      hint: 'Pull it with Docker 20 or skopeo on another machine and push it again, or use a newer tag.',
    });
  }
  if (Array.isArray(json.manifests)) {
    return { kind: 'index', manifests: json.manifests.map(each => toDescriptor(each, name)) };
  }
  if (!Array.isArray(json.layers) || typeof json.config !== 'object') {
    throw invalid(name, 'it lists neither layers nor manifests');
  }
  return {
    kind: 'manifest',
    config: toDescriptor(json.config, name),
    layers: json.layers.map(each => toDescriptor(each, name)),
  };
}

/** Reads a configuration (OCI image-spec v1.1, config.md). */
export function parseConfiguration(bytes: Buffer, name: string): Configuration {
  const json = parseObject(bytes, name, 'configuration');
  const config = isObject(json.config) ? json.config : {};
  const rootfs = isObject(json.rootfs) ? json.rootfs : {};
  const diffIds = toTexts(rootfs.diff_ids);
  if (diffIds.some(each => !parseDigest(each))) throw invalid(name, 'the digest of an unpacked layer is no sha256');
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return {
    os: text(json.os) ?? 'linux',
    variant: text(json.variant),
    diffIds,
    image: {
      env: toEnvironment(toTexts(config.Env)),
      entrypoint: toTexts(config.Entrypoint),
      command: toTexts(config.Cmd),
      workingDirectory: text(config.WorkingDir),
      user: text(config.User),
      architecture: text(json.architecture) ?? 'unknown',
      ...toMetadata(config),
    },
  };
}

/** Only what the configuration has. */
function toMetadata(config: Record<string, unknown>): Partial<ImageConfig> {
  const { Labels, ExposedPorts, Volumes, StopSignal, Healthcheck, Shell, OnBuild } = config;
  const labels = isObject(Labels) ? Object.entries(Labels).filter(([, value]) => typeof value === 'string') : [];
  const keys = (value: unknown) => (isObject(value) ? Object.keys(value) : []);
  const lists = {
    exposedPorts: keys(ExposedPorts),
    volumes: keys(Volumes),
    shell: toTexts(Shell),
    onBuild: toTexts(OnBuild),
  };
  return {
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) as Record<string, string> }),
    ...(typeof StopSignal === 'string' && StopSignal !== '' && { stopSignal: StopSignal }),
    ...(isObject(Healthcheck) && { healthcheck: Healthcheck }),
  };
}

export function invalid(name: string, reason: string): Failure {
  return new Failure('image/invalid-manifest', `the manifest of ${name} makes no sense: ${reason}`);
}

function toDescriptor(value: unknown, name: string): Descriptor {
  if (!isObject(value)) throw invalid(name, 'a descriptor is no object');
  const { mediaType, digest, size, platform, annotations } = value;
  if (typeof digest !== 'string' || !parseDigest(digest)) throw invalid(name, `${String(digest)} is no sha256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(name, 'a size is no number');
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size,
    ...(isObject(platform) && { platform: toPlatform(platform) }),
    ...(isObject(annotations) && { annotations: annotations as Record<string, string> }),
  };
}

function toPlatform({ os, architecture, variant }: Record<string, unknown>): Platform {
  return {
    os: String(os ?? ''),
    architecture: String(architecture ?? ''),
    ...(typeof variant === 'string' && variant !== '' && { variant }),
  };
}

function toEnvironment(lines: string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf('=');
    if (at > 0) env[line.slice(0, at)] = line.slice(at + 1);
  }
  return env;
}

function toTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
}

function parseObject(bytes: Buffer, name: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Failure('image/invalid-manifest', `the ${what} of ${name} is not JSON`, { cause });
  }
  if (!isObject(value)) throw invalid(name, `the ${what} is no object`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
