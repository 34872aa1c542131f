// Images for the demo, made from Debian packages and named like their counterparts on quay.io/biocontainers: one base
// layer that all share, and a layer of its own for each tool. They lie in an OCI layout (image-spec v1.1,
// image-layout.md) that is made once.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { planLayer } from './tar-layer.ts';

/** Repository and tag below the registry, and the Debian packages that make it. Debian 12 has the same versions, save for gnuplot. */
const recipes: Record<string, string[]> = {
  'biocontainers/bowtie2:2.5.0--py310h8d7afc0_0': ['bowtie2'],
  'biocontainers/samtools:1.16.1--h6899075_1': ['samtools'],
  'biocontainers/bcftools:1.16--hfe4b78e_1': ['bcftools'],
  'biocontainers/gnuplot:5.2.3': ['gnuplot-nox', 'fonts-dejavu-core'],
};

const suite = 'bookworm';
const excluded = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}
interface Layer extends Descriptor {
  diffId: string;
}

/** Makes the images in `folder`, an OCI layout, unless they are there; answers whether there was something to make. */
export async function makeImages(folder: string, tell: (what: string) => void): Promise<boolean> {
  const key = createHash('sha256').update(JSON.stringify({ recipes, suite, excluded })).digest('hex');
  const stamp = join(folder, 'made-from');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return false;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
  const scratch = join(folder, 'scratch');
  mkdirSync(scratch);

  tell(`base of Debian ${suite}`);
  const baseArchive = join(scratch, 'base.tar');
  await bootstrap('essential', [], baseArchive);
  const baseTar = readFileSync(baseArchive);
  const base = await addLayer(folder, baseTar);

  const manifests = [];
  for (const [name, packages] of Object.entries(recipes)) {
    tell(`quay.io/${name} from ${packages.join(', ')}`);
    const archive = join(scratch, 'tool.tar');
    await bootstrap('custom', packages, archive, baseArchive);
    const layer = await addLayer(folder, planLayer(baseTar, readFileSync(archive)));
    manifests.push({
      ...addManifest(folder, [base, layer]),
      annotations: { 'org.opencontainers.image.ref.name': name },
    });
  }
  rmSync(scratch, { recursive: true, force: true });
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(stamp, key);
  return true;
}

/** A root file system of packages as an archive, on top of `base` where one is given. */
async function bootstrap(variant: string, packages: string[], archive: string, base?: string): Promise<void> {
  const options = excluded.map(pattern => `--dpkgopt=path-exclude=${pattern}`);
  options.push('--dpkgopt=path-include=/usr/share/doc/*/copyright');
  if (packages.length > 0) options.push(`--include=${packages.join(',')}`);
  // tar-in reads on this side of the sandbox, so that it works in each of mmdebstrap's modes.
  if (base) options.push('--skip=check/empty', `--setup-hook=tar-in "${base}" /`);
  const unfinished = `${archive}.unfinished`;
  await promisify(execFile)(
    'mmdebstrap',
    ['--quiet', `--variant=${variant}`, '--format=tar', ...options, suite, unfinished],
    {
      env: { ...process.env, PATH: path, SOURCE_DATE_EPOCH: '1767225600', LANG: 'C.UTF-8' },
      maxBuffer: 64 << 20,
    },
  );
  renameSync(unfinished, archive);
}

async function addLayer(folder: string, tar: Buffer): Promise<Layer> {
  const packed = await promisify(gzip)(tar, { level: 4 });
  return { ...addBlob(folder, packed, 'application/vnd.oci.image.layer.v1.tar+gzip'), diffId: digestOf(tar) };
}

function addManifest(folder: string, layers: Layer[]): Descriptor {
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: [`PATH=${path}`], Cmd: ['/bin/bash'] },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
  };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: addBlob(folder, Buffer.from(JSON.stringify(config)), 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map(({ diffId: _, ...descriptor }) => descriptor),
  };
  return addBlob(folder, Buffer.from(JSON.stringify(manifest)), mediaType);
}

function addBlob(folder: string, content: Buffer, mediaType: string): Descriptor {
  const digest = digestOf(content);
  writeFileSync(join(folder, 'blobs', ...digest.split(':')), content);
  return { mediaType, digest, size: content.length };
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
