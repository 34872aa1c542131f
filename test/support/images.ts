// Images made by hand: layers whose every tar header is ours, as an OCI layout in memory.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { needPackages } from './machine.ts';
import { Layer } from './tar.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** What an image is made of; see {@link buildImage} for the defaults. */
export interface ImageRecipe {
  /** Uncompressed tars, lowest first. */
  layers: (Layer | Buffer)[];
  /** `config` of the image configuration: Env, Entrypoint, Cmd, WorkingDir, User. */
  config?: Record<string, unknown>;
  /** As images name it: `amd64`, `arm64`. */
  architecture?: string;
  variant?: string;
  compression?: Compression | Compression[];
  /** Whose media types the manifest has. */
  family?: 'oci' | 'docker';
  /** Digests of the uncompressed layers where they should be wrong. */
  diffIds?: string[];
}

/** A manifest or an index, and all blobs below it by digest. */
export interface TestImage {
  mediaType: string;
  digest: string;
  manifest: Buffer;
  blobs: Map<string, Buffer>;
  /** Manifests below an index. */
  children: TestImage[];
  platform?: { architecture: string; os: string; variant?: string };
}

const compressionOf = {
  none: (data: Buffer) => data,
  gzip: (data: Buffer) => gzipSync(data, { level: 6 }),
  zstd: (data: Buffer) => zstdCompressSync(data),
};

export const hostArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;

export function buildImage(recipe: ImageRecipe): TestImage {
  const docker = recipe.family === 'docker';
  const blobs = new Map<string, Buffer>();
  const put = (data: Buffer) => {
    const digest = digestOf(data);
    blobs.set(digest, data);
    return { digest, size: data.length };
  };
  const tars = recipe.layers.map(layer => (layer instanceof Layer ? layer.toBuffer() : layer));
  const layers = tars.map((tar, i) => {
    const how = (Array.isArray(recipe.compression) ? recipe.compression[i] : recipe.compression) ?? 'gzip';
    return { mediaType: layerType(docker, how), ...put(compressionOf[how](tar)) };
  });
  const architecture = recipe.architecture ?? hostArchitecture;
  const platform = { architecture, os: 'linux', ...(recipe.variant && { variant: recipe.variant }) };
  const config = {
    created: '2026-01-01T00:00:00Z',
    ...platform,
    config: recipe.config ?? {},
    rootfs: { type: 'layers', diff_ids: recipe.diffIds ?? tars.map(digestOf) },
    // Charliecloud takes no image without it.
    history: tars.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'test' })),
  };
  const mediaType = docker
    ? 'application/vnd.docker.distribution.manifest.v2+json'
    : 'application/vnd.oci.image.manifest.v1+json';
  const configType = docker
    ? 'application/vnd.docker.container.image.v1+json'
    : 'application/vnd.oci.image.config.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, ...put(Buffer.from(JSON.stringify(config))) },
      layers,
    }),
  );
  return { mediaType, digest: digestOf(manifest), manifest, blobs, children: [], platform };
}

/** Several architectures under one name. */
export function buildIndex(children: TestImage[], family: 'oci' | 'docker' = 'oci'): TestImage {
  const mediaType =
    family === 'docker'
      ? 'application/vnd.docker.distribution.manifest.list.v2+json'
      : 'application/vnd.oci.image.index.v1+json';
  const manifests = children.map(child => ({
    mediaType: child.mediaType,
    digest: child.digest,
    size: child.manifest.length,
    platform: child.platform,
  }));
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  return { mediaType, digest: digestOf(manifest), manifest, blobs: new Map(), children };
}

/**
 * A tiny image that runs: Debian's static busybox with its applets as hard links, as in the official busybox image.
 * `layers` lie on top of it.
 */
export function busyboxImage(recipe: Partial<ImageRecipe> = {}): TestImage {
  return buildImage({
    ...recipe,
    layers: [busyboxLayer(), ...(recipe.layers ?? [])],
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['sh'],
      ...recipe.config,
    },
  });
}

const applets =
  '[ ash awk base64 basename cat chmod cmp cp cut date dd diff dirname du echo env expr false find grep gunzip gzip head id kill less ln ls md5sum mkdir mkfifo mktemp mv nc nl od printf ps pwd readlink realpath rm rmdir sed seq sh sha1sum sha256sum sleep sort split stat tail tar tee test touch tr true tty uname uniq unlink vi wc wget which xargs yes zcat';

let cachedLayer: Buffer | undefined;

export function busyboxLayer(): Buffer {
  if (cachedLayer) return cachedLayer;
  needPackages('busybox-static');
  const layer = new Layer();
  for (const name of ['bin', 'dev', 'etc', 'home', 'proc', 'sys', 'usr', 'usr/bin', 'var']) layer.directory(name);
  layer.directory('root', 0o700).directory('tmp', 0o1777);
  layer.file('bin/busybox', readFileSync('/bin/busybox'), 0o755);
  for (const name of applets.split(' ')) layer.hardlink(`bin/${name}`, 'bin/busybox', { mode: 0o755 });
  layer.file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n');
  layer.file('etc/group', 'root:x:0:\nnobody:x:65534:\n');
  cachedLayer = layer.toBuffer();
  return cachedLayer;
}

/** Writes an OCI layout; each image has its tag in `org.opencontainers.image.ref.name`. */
export function writeLayout(folder: string, images: Record<string, TestImage>): void {
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
  const put = (digest: string, data: Buffer) =>
    writeFileSync(join(folder, 'blobs', 'sha256', digest.replace('sha256:', '')), data);
  const putImage = (image: TestImage) => {
    for (const [digest, data] of image.blobs) put(digest, data);
    for (const child of image.children) putImage(child);
    put(image.digest, image.manifest);
  };
  const manifests = Object.entries(images).map(([tag, image]) => {
    putImage(image);
    return {
      mediaType: image.mediaType,
      digest: image.digest,
      size: image.manifest.length,
      platform: image.platform,
      annotations: { 'org.opencontainers.image.ref.name': tag },
    };
  });
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}

export function digestOf(data: Buffer): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

function layerType(docker: boolean, how: Compression): string {
  if (!docker) return `application/vnd.oci.image.layer.v1.tar${how === 'none' ? '' : `+${how}`}`;
  return `application/vnd.docker.image.rootfs.diff.tar${how === 'none' ? '' : `.${how}`}`;
}
