// A Dockerfile without packages from anywhere, built by `image build` and by `buildah bud --isolation chroot`.
//
//     node bench/build.ts [FILES [ROUNDS]]   needs root on Debian: buildah is installed, and all run as an unprivileged user
//
// Cold is without any cache, cached with that of the build before, where nothing has changed; "one file" with one file of
// the COPY changed. Wall and CPU time in seconds and peak memory in MB, medians; the ratios are theirs divided by ours.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installHelper } from '../test/support/helper.ts';
import { busyboxImage, writeLayout } from '../test/support/images.ts';
import { findUser, isRoot, makeFolder, needPackages, runAs } from '../test/support/machine.ts';
import { type Cost, measure, type Side } from './support/measure.ts';

const files = Number(process.argv[2] ?? 5000);
const rounds = Number(process.argv[3] ?? 3);

const dockerfile = `FROM docker.io/test/base:latest
COPY src /src
RUN mkdir /made && for i in $(seq 200); do mkdir /made/$i && for j in 1 2 3 4 5; do echo $i $j >/made/$i/$j; done; done
RUN find /src -type f | xargs cat | sha256sum >/sum
RUN for i in $(seq 300); do /bin/true; done
COPY src/0 /last/
`;

if (!isRoot) throw new Error('this benchmark needs root, to install buildah and to run as an unprivileged user');
needPackages('buildah', 'runc', 'uidmap', 'fuse-overlayfs', 'time');
const user = findUser();
const place = makeFolder(user, 'cwl-bench-build-');
const helper = await installHelper(user);
const env = {
  CWL_ON_CLUSTERS_HOME: helper.home,
  HOME: place.path,
  XDG_RUNTIME_DIR: place.path,
  TMPDIR: place.path,
};
try {
  makeContext();
  writeLayout(join(helper.folder, 'layout'), { latest: busyboxImage() });
  spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, place.path, helper.folder]);
  must(await helper.run(['image', 'load', '--name', 'test/base:latest', join(helper.folder, 'layout')]));
  const storage = await openStorage();

  const ours = (...more: string[]): string[] => [
    helper.node,
    helper.bundle,
    ...['image', 'build', '-q', '--pull=never', '-t', 'test/bench:1'],
    ...[...more, join(place.path, 'context')],
  ];
  const theirs = (...more: string[]): string[] => [
    'buildah',
    ...storage,
    ...['bud', '-q', '--layers', '--isolation', 'chroot', '--pull-never', '-t', 'localhost/bench:1'],
    ...[...more, join(place.path, 'context')],
  ];
  const change = `head -c 100 /dev/urandom >${join(place.path, 'context/src/0/0')}`;
  const changed = (argv: string[]) => ['sh', '-c', `${change}; exec "$@"`, 'sh', ...argv];
  const sides: Side[] = [
    { name: 'image build, cold', argv: ours('--no-cache'), env },
    { name: 'buildah bud, cold', argv: theirs('--no-cache'), env },
    { name: 'image build, cached', argv: ours(), env },
    { name: 'buildah bud, cached', argv: theirs(), env },
    { name: 'image build, one file', argv: changed(ours()), env },
    { name: 'buildah bud, one file', argv: changed(theirs()), env },
  ];
  const scratch = join(place.path, 'scratch');
  mkdirSync(scratch);
  spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, scratch]);
  const costs = await measure(sides, { user, scratch, rounds });
  console.log(`${files} files copied, buildah with the storage driver ${storage[1]}; medians of ${rounds} rounds`);
  const rows = sides.map(({ name }, i) => {
    const cost = costs[i] as Cost;
    const base = costs[i - (i % 2)] as Cost;
    const numbers = [cost.wall.toFixed(2), cost.cpu.toFixed(2), cost.memory.toFixed(0)];
    return [name, ...numbers, (cost.wall / base.wall).toFixed(2), (cost.cpu / base.cpu).toFixed(2)];
  });
  for (const row of [['', 'wall s', 'CPU s', 'MB', 'wall /ours', 'CPU /ours'], ...rows]) {
    console.log(row.map((text, i) => (i === 0 ? text.padEnd(30) : text.padStart(12))).join(''));
  }
} finally {
  // Some of it belongs to other ids of the user's namespace.
  await runAs(user, 'buildah', ['unshare', 'rm', '-rf', join(place.path, 'graph'), join(place.path, 'run')], { env });
  helper.remove();
  place.remove();
}

function makeContext(): void {
  const folder = join(place.path, 'context');
  for (let i = 0; i < files; i++) {
    const at = join(folder, 'src', String(i % 50));
    if (i < 50) mkdirSync(at, { recursive: true });
    writeFileSync(join(at, String(i)), `${i}\n`.repeat(1 + (i % 500)));
  }
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
}

/** Layers over each other where the machine lets a user have them, else copies. */
async function openStorage(): Promise<string[]> {
  const policy = join(place.path, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  for (const driver of ['overlay', 'vfs']) {
    const words = [
      '--storage-driver',
      driver,
      '--root',
      join(place.path, 'graph'),
      '--runroot',
      join(place.path, 'run'),
    ];
    const pull = ['pull', '-q', '--signature-policy', policy, 'oci:layout:latest'];
    const pulled = await runAs(user, 'buildah', [...words, ...pull], { env, cwd: helper.folder });
    if (pulled.code === 0) {
      must(
        await runAs(user, 'buildah', [...words, 'tag', pulled.stdout.trim(), 'docker.io/test/base:latest'], { env }),
      );
      return words;
    }
    if (driver === 'vfs') must(pulled);
    await runAs(user, 'buildah', ['unshare', 'rm', '-rf', join(place.path, 'graph'), join(place.path, 'run')], { env });
  }
  return [];
}

function must({ code, stderr }: { code: number | null; stderr: string }): void {
  if (code !== 0) throw new Error(stderr);
}
