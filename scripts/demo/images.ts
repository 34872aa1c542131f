// Images for the demo, made from Debian packages and named like their counterparts on quay.io/biocontainers: one base
// layer that all share, and a layer of its own for each tool. They are made once, and kept as a registry keeps them.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Failure } from '#base/failure.ts';
import { digestOf, hostArchitecture, type TestImage } from '../../test/support/images.ts';
import { pushImage, startRegistry } from '../../test/support/registry.ts';
import { planLayer } from './tar-layer.ts';

/** Name below quay.io, and the Debian packages that make it. Debian 12 has the same versions, save for gnuplot. */
const recipes: Record<string, string[]> = {
  'biocontainers/bowtie2:2.5.0--py310h8d7afc0_0': ['bowtie2'],
  'biocontainers/samtools:1.16.1--h6899075_1': ['samtools'],
  'biocontainers/bcftools:1.16--hfe4b78e_1': ['bcftools'],
  'biocontainers/gnuplot:5.2.3': ['gnuplot-nox', 'fonts-dejavu-core'],
};

const suite = 'bookworm';
const excluded = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface Layer {
  tar: Buffer;
  packed: Buffer;
}

/** Fills `folder`, the storage of a registry, with the images unless they are there; answers whether there was something to make. */
export async function makeImages(folder: string, tell: (what: string) => void): Promise<boolean> {
  const key = digestOf(Buffer.from(JSON.stringify({ recipes, suite, excluded, hostArchitecture })));
  const stamp = join(folder, 'made-from');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return false;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'cwl-images-'));
  const registry = await startRegistry({ folder });
  try {
    tell(`base: Debian ${suite}`);
    const baseArchive = join(scratch, 'base.tar');
    const base = await packLayer(await bootstrap('essential', [], baseArchive));
    for (const [name, packages] of Object.entries(recipes)) {
      tell(`quay.io/${name}: ${packages.join(', ')}`);
      const whole = await bootstrap('custom', packages, join(scratch, 'tool.tar'), baseArchive);
      await pushImage(registry, name, makeImage([base, await packLayer(planLayer(base.tar, whole))]));
    }
  } finally {
    await registry.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
  writeFileSync(stamp, key);
  return true;
}

/** A root file system of packages as a tar archive, on top of `base` where one is given. */
async function bootstrap(variant: string, packages: string[], archive: string, base?: string): Promise<Buffer> {
  const options = excluded.map(pattern => `--dpkgopt=path-exclude=${pattern}`);
  options.push('--dpkgopt=path-include=/usr/share/doc/*/copyright');
  // Images need no device nodes, and only root could unpack them.
  const skip = ['output/dev'];
  if (packages.length > 0) options.push(`--include=${packages.join(',')}`);
  // tar-in reads on this side of the sandbox, so that it works in each of mmdebstrap's modes.
  if (base) {
    skip.push('check/empty');
    options.push(`--setup-hook=tar-in "${base}" /`);
  }
  options.push(`--skip=${skip.join(',')}`);
  const env = { ...process.env, PATH: path, SOURCE_DATE_EPOCH: '1767225600', LANG: 'C.UTF-8' };
  const args = ['--quiet', `--variant=${variant}`, '--format=tar', ...options, suite, `${archive}.unfinished`];
  await promisify(execFile)('mmdebstrap', args, { env, maxBuffer: 64 << 20 }).catch(error => {
    throw new Failure('demo/images', 'mmdebstrap could not make a root file system', {
      cause: String(error.stderr ?? error.message).trim(),
      hint: 'It needs the network, root or uidmap with user namespaces, and some hundred megabytes in the temporary folder.',
    });
  });
  renameSync(`${archive}.unfinished`, archive);
  return readFileSync(archive);
}

async function packLayer(tar: Buffer): Promise<Layer> {
  return { tar, packed: await promisify(gzip)(tar, { level: 4 }) };
}

function makeImage(layers: Layer[]): TestImage {
  const blobs = new Map<string, Buffer>();
  const put = (mediaType: string, data: Buffer) => {
    blobs.set(digestOf(data), data);
    return { mediaType, digest: digestOf(data), size: data.length };
  };
  const config = {
    architecture: hostArchitecture,
    os: 'linux',
    config: { Env: [`PATH=${path}`], Cmd: ['/bin/bash'] },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => digestOf(layer.tar)) },
  };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: put('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config))),
      layers: layers.map(layer => put('application/vnd.oci.image.layer.v1.tar+gzip', layer.packed)),
    }),
  );
  return { mediaType, digest: digestOf(manifest), manifest, blobs, children: [] };
}
