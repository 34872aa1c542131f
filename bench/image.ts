// Pull and unpack of an image of about 400 MB, 20,000 files and five layers, beside what others take for the same.
//
//     node bench/image.ts [ROUNDS [WORD]]   needs root on Debian: the peers are installed, and run as an unprivileged user
//
// WORD: only the ways that have it in their name, beside the first.
//
// Wall and CPU time in seconds and peak memory in MB; the ratios are theirs divided by ours.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installHelper } from '../test/support/helper.ts';
import { buildImage, type TestImage, writeLayout } from '../test/support/images.ts';
import { findUser, isRoot, makeFolder, needPackages, runAs, type User } from '../test/support/machine.ts';
import { pushImage, startRegistry } from '../test/support/registry.ts';
import { Layer } from '../test/support/tar.ts';

const rounds = Number(process.argv[2] ?? 3);
const word = process.argv[3] ?? '';

/** One way to a root file system, in the shell. */
interface Way {
  what: string;
  /** What must be there already, and does not count. */
  before?: string;
  script: string;
}

interface Cost {
  wall: number;
  cpu: number;
  /** MB of the largest process. */
  memory: number;
}

if (!isRoot) throw new Error('this benchmark needs root, to install the peers and to run as an unprivileged user');
needPackages('skopeo', 'umoci', 'time', 'gzip', 'tar', 'coreutils', 'charliecloud', 'python3-lark', 'python3-requests');
const user = findUser();
const place = makeFolder(user, 'cwl-bench-image-');
const helper = await installHelper(user);
// Charliecloud speaks nothing but HTTPS.
const registry = await startRegistry({ tls: true });
try {
  const { image, second, own, files, bytes } = makeImages();
  await pushImage(registry, 'bench/tool:1', image);
  await pushImage(registry, 'bench/second:1', second);
  await pushImage(registry, 'bench/own:1', own);
  const layout = join(place.path, 'layout');
  writeLayout(layout, { '1': image });
  console.log(`${(bytes / 1e6).toFixed(0)} MB in ${files} files, five layers, gzip; best of ${rounds} rounds`);

  const name = `${registry.host}/bench/tool:1`;
  const blobs = layersOf(image).map(digest => join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length)));
  const q = (words: string[]) => words.map(word => `'${word}'`).join(' ');
  const pull = (what: string) =>
    `NODE_EXTRA_CA_CERTS=${registry.ca} ${q([helper.node, helper.bundle, 'image', 'pull', what, '--image-store', 'store'])}`;
  const charliecloud = '/usr/bin/python3 /usr/bin/ch-image --no-cache --tls-no-verify -s charliecloud pull';
  const copy = 'skopeo copy -q --src-tls-verify=false --src-no-creds';
  const all: Way[] = [
    { what: 'image pull', script: pull(name) },
    {
      what: 'skopeo copy + umoci unpack --rootless',
      script: `${copy} docker://${name} oci:oci:1 && umoci unpack --rootless --image oci:1 bundle`,
    },
    { what: 'ch-image pull', script: `USER=${user.name} ${charliecloud} ${name} bench` },
    {
      what: 'image pull of a second one with the same four lower layers',
      before: pull(name),
      script: pull(`${registry.host}/bench/second:1`),
    },
    { what: 'image pull of nothing but its own small layer', script: pull(`${registry.host}/bench/own:1`) },
    {
      what: 'gzip -dc | sha256sum, tar x (no download)',
      script: `mkdir out; for blob in ${q(blobs)}; do sha256sum $blob; gzip -dc $blob | sha256sum; gzip -dc $blob | tar x -C out --delay-directory-restore; done`,
    },
    {
      what: 'gzip -dc | tar x (no download, no digest)',
      script: `mkdir out; for blob in ${q(blobs)}; do gzip -dc $blob | tar x -C out --delay-directory-restore; done`,
    },
  ];
  const floor = join(place.path, 'floor.mjs');
  cpSync(new URL('./image-floor.mjs', import.meta.url), floor);
  all.push({ what: 'floor: inflate + two SHA-256, nothing written', script: q([helper.node, floor, ...blobs]) });
  const ways = all.filter(({ what }, i) => i === 0 || what.includes(word));

  const costs = ways.map(() => ({ wall: Infinity, cpu: Infinity, memory: Infinity }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, way] of ways.entries()) {
      const cost = await measure(way, user);
      const best = costs[i] as Cost;
      for (const key of ['wall', 'cpu', 'memory'] as const) best[key] = Math.min(best[key], cost[key]);
    }
  }
  const ours = costs[0] as Cost;
  const rows = ways.map(({ what }, i) => {
    const cost = costs[i] as Cost;
    const numbers = [cost.wall.toFixed(2), cost.cpu.toFixed(2), cost.memory.toFixed(0)];
    return [what, ...numbers, (cost.wall / ours.wall).toFixed(2), (cost.cpu / ours.cpu).toFixed(2)];
  });
  for (const row of [['', 'wall s', 'CPU s', 'MB', 'wall /ours', 'CPU /ours'], ...rows]) {
    console.log(row.map((text, i) => (i === 0 ? text.padEnd(60) : text.padStart(10))).join(''));
  }
} finally {
  await registry.stop();
  helper.remove();
  place.remove();
}

/** Runs in a fresh folder, which is removed afterwards. */
async function measure({ before = 'true', script }: Way, who: User): Promise<Cost> {
  const folder = join(place.path, 'round');
  const options = { cwd: place.path };
  const prepared = await runAs(who, 'sh', ['-c', `mkdir ${folder} && cd ${folder} && ${before}`], options);
  if (prepared.code !== 0) throw new Error(`${before}: ${prepared.stderr}`);
  const command = ['-f', '%e %U %S %M', '-o', join(place.path, 'cost'), 'sh', '-c', `cd ${folder} && ${script}`];
  const result = await runAs(who, '/usr/bin/time', command, options);
  if (result.code !== 0) throw new Error(`${script}: ${result.stderr}`);
  const [wall = 0, usr = 0, system = 0, memory = 0] = readFileSync(join(place.path, 'cost'), 'utf8')
    .trim()
    .split(' ')
    .map(Number);
  spawnSync('chmod', ['-R', 'u+rwX', folder]);
  spawnSync('rm', ['-rf', folder]);
  return { wall, cpu: usr + system, memory: memory / 1024 };
}

/**
 * Four layers of this machine's own files, so that sizes and compressibility are real, and one that changes some; and the
 * four with a small one on top.
 */
function makeImages(): { image: TestImage; second: TestImage; own: TestImage; files: number; bytes: number } {
  const paths: string[] = [];
  collect('/usr', paths);
  const chosen = thin(paths, 20_000, 400e6);
  const layers = Array.from({ length: 5 }, () => new Layer());
  const made = new Set<string>();
  let bytes = 0;
  chosen.forEach((path, i) => {
    const at = Math.floor((i * 4) / chosen.length);
    const layer = layers[at] as Layer;
    addFolders(layer, path, at, made);
    const data = readFileSync(path);
    bytes += data.length;
    layer.file(path.slice(1), data, lstatSync(path).mode & 0o777);
    if (i % 40 < 2) {
      const top = layers[4] as Layer;
      addFolders(top, path, 4, made);
      if (i % 40 === 0) top.whiteout(path.slice(1));
      else top.file(path.slice(1), createHash('sha512').update(data).digest('hex'));
    }
  });
  const image = buildImage({ layers });
  const small = new Layer().file('second', 'small');
  const second = buildImage({ layers: [...layers.slice(0, 4), small] });
  return { image, second, own: buildImage({ layers: [small] }), files: chosen.length, bytes };
}

function collect(folder: string, paths: string[]): void {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    if (Buffer.byteLength(path) > 95) continue;
    if (entry.isDirectory()) collect(path, paths);
    else if (entry.isFile()) paths.push(path);
  }
}

/** So many files in the same order, of so many bytes. */
function thin(paths: string[], count: number, bytes: number): string[] {
  const step = Math.max(1, paths.length / (count * 1.3));
  const chosen: string[] = [];
  let left = bytes;
  for (let i = 0; i < paths.length && chosen.length < count; i += step) {
    const path = paths[Math.floor(i)] as string;
    const { size } = lstatSync(path);
    // Large files only as long as the others still fit.
    if (size > 20e6 || size > 200 * (left / (count - chosen.length)) || left - size < (count - chosen.length) * 2000)
      continue;
    left -= size;
    chosen.push(path);
  }
  return chosen;
}

function addFolders(layer: Layer, path: string, index: number, made: Set<string>): void {
  const parts = path.slice(1).split('/').slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth++) {
    const folder = parts.slice(0, depth).join('/');
    if (made.has(`${index} ${folder}`)) continue;
    made.add(`${index} ${folder}`);
    layer.directory(folder);
  }
}

function layersOf(made: TestImage): string[] {
  return (JSON.parse(made.manifest.toString('utf8')) as { layers: { digest: string }[] }).layers.map(
    each => each.digest,
  );
}
