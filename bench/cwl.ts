// The runner beside the reference runner, cwltool, and beside the floor: the same processes with nothing around them.
//
//     node bench/cwl.ts [CASE...]            as root on Debian: the peers are installed, and all run as a user without rights
//
// Medians of whole processes, all sides in turn. What is written goes to a file system in memory where there is one with
// room: what is measured are programs, not the disk.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  symlinkSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { installHelper } from '../test/support/helper.ts';
import { findUser, isRoot, needPackages, runAs } from '../test/support/machine.ts';
import { openPodman } from '../test/support/podman.ts';
import { image, writeDocuments } from './support/cwl-documents.ts';
import { openCwltool, openSidCwltool } from './support/cwltool.ts';
import { measure, printTable, type Side } from './support/measure.ts';

const rounds = 5;
const width = availableParallelism();
const wanted = process.argv.slice(2);
const user = findUser();
needPackages('time', 'busybox-static');
const scratch = mkdtempSync(join(findScratch(), 'cwl-bench-'));
chmodSync(scratch, 0o777);
const helper = await installHelper(user);
try {
  const documents = join(scratch, 'documents');
  mkdirSync(documents);
  writeDocuments(documents);
  const floor = join(scratch, 'floor.mjs');
  copyFileSync(new URL('./cwl-floor.mjs', import.meta.url), floor);
  const document = (name: string) => join(documents, name);
  const env = { CWL_ON_CLUSTERS_HOME: makeFolder('home'), TMPDIR: makeFolder('tmp') };
  const own = (args: string[], name = 'helper'): Side => ({ name, env, argv: [helper.node, helper.bundle, ...args] });
  const runOf = (args: string[]) => own(['run', '--quiet', '--outdir', join(scratch, 'out-%'), ...args]);
  const floorOf = (count: number, name = 'floor', front: string[] = []): Side => ({
    name,
    argv: [helper.node, floor, String(count), String(width), join(scratch, 'floor-%'), ...front],
  });
  const peers = [openSidCwltool(user, scratch, documents), openCwltool(documents)].filter(peer => peer !== undefined);
  const peersOf = (args: string[], times?: number): Side[] =>
    peers.map(peer => ({
      ...peer.plan(`cwltool ${peer.version}`, args),
      env: { TMPDIR: env.TMPDIR },
      ...(times !== undefined && { rounds: times }),
    }));
  const both = (args: string[], times?: number) => [
    runOf(['--no-container', ...args]),
    ...peersOf(['--no-container', ...args], times),
  ];
  const scatter = [document('scatter.cwl'), document('words-500.json')];

  await compare('tool', 'one tool', both([document('tool.cwl')]));
  await compare('chain', 'a chain of 50', both([document('chain.cwl')]));
  await compare('scatter', `a scatter of 500, ${width} at a time`, [
    runOf(['--no-container', '--parallel', String(width), ...scatter]),
    floorOf(500),
    ...peersOf(['--no-container', '--parallel', ...scatter], 1),
  ]);
  await compare(
    'expressions',
    'a scatter of 200 with seven expressions each',
    both([document('expressions.cwl'), document('numbers.json')], 3),
  );
  await compare('validate', 'validation of a workflow of 300 steps', [
    own(['validate', document('big.cwl')]),
    ...peersOf(['--validate', document('big.cwl')], 0),
  ]);
  await compareImages();
  await compareSizes();

  /** In a root file system under PRoot, beside a bare loop of proot calls and beside cwltool with podman. */
  async function compareImages(): Promise<void> {
    const rootfs = makeRootfs(join(scratch, 'busybox'));
    const archive = join(scratch, 'busybox.tar');
    spawnSync('tar', ['cf', archive, '-C', rootfs, '.']);
    chmodSync(archive, 0o644);
    const imported = await runAs(user, helper.node, [helper.bundle, 'image', 'import', archive, '--name', image], {
      env,
    });
    if (imported.code !== 0) throw new Error(imported.stderr);
    const proot = join(helper.folder, 'bin/proot');
    const steps = [document('image-scatter.cwl'), document('words-500.json')];
    await compare('proot', `a scatter of 500 in an image under PRoot, ${width} at a time`, [
      runOf(['--engine', 'proot', '--pull', 'never', '--parallel', String(width), ...steps]),
      floorOf(500, 'floor: bare proot', [proot, '-r', rootfs, '-b', '/dev', '-b', '/proc', '-w', '/']),
    ]);
    const podman = wanted.length === 0 || wanted.includes('podman') ? await importToPodman(archive) : undefined;
    if (!podman) return;
    const peer = peers.at(-1);
    if (!peer) return;
    const own = ['--engine', 'proot', '--pull', 'never', '--parallel', String(width)];
    const theirs = ['--podman', '--disable-pull', '--parallel'];
    const [one, ten] = [[document('image-tool.cwl')], [document('image-scatter.cwl'), document('words-10.json')]];
    const podmanOf = (name: string, args: string[]) => ({
      ...peer.plan(name, [...theirs, ...args]),
      env: { TMPDIR: env.TMPDIR, ...podman },
      rounds: 2,
    });
    const sides: Side[] = [
      { ...runOf([...own, ...steps]), name: 'helper, 500 steps' },
      { ...runOf([...own, ...one]), name: 'helper, one step' },
      { ...runOf(['--pull', 'never', '--parallel', String(width), ...steps]), name: 'helper, 500, engine auto' },
      podmanOf('cwltool, 10 steps', ten),
      podmanOf('cwltool, one step', one),
    ];
    const costs = await measure(sides, { user, scratch, rounds });
    printTable(
      `steps in an image, ${width} at a time: the helper under PRoot, cwltool ${peer.version} with podman`,
      sides,
      costs,
    );
    const perStep = (many: number, single: number, count: number) =>
      ((costs[many]?.wall ?? 0) - (costs[single]?.wall ?? 0)) / (count - 1);
    const auto = perStep(2, 1, 500);
    const [ours, others] = [perStep(0, 1, 500), perStep(3, 4, 10)];
    const told = [ours, auto].map(
      each => `${(each * 1000).toFixed(1)} ms (cwltool takes ${(others / each).toFixed(0)} times as long)`,
    );
    console.log(
      `  each further step: PRoot ${told[0]}, engine auto ${told[1]}, cwltool ${(others * 1000).toFixed(0)} ms`,
    );
  }

  /** A step costs the same however many there are, and memory stays bounded. */
  async function compareSizes(): Promise<void> {
    const of = (count: number) =>
      runOf(['--no-container', '--parallel', String(width), document('scatter.cwl'), document(`words-${count}.json`)]);
    if (wanted.length > 0 && !wanted.includes('many')) return;
    const sides = [of(1000), { ...of(10_000), name: 'ten times as many', rounds: 1 }];
    const costs = await measure(sides, { user, scratch, rounds });
    printTable('a scatter of 1,000 and one of 10,000', sides, costs);
  }

  /** The environment in which podman works without root here; undefined where it does not, which is told. */
  async function importToPodman(archive: string): Promise<Record<string, string> | undefined> {
    try {
      const variables = await openPodman(user, makeFolder('podman'));
      for (const args of [
        ['import', archive, image],
        ['run', '--rm', '--net=none', image, '/bin/true'],
      ]) {
        const { code, stderr } = await runAs(user, 'timeout', ['60', 'podman', ...args], {
          env: { ...env, ...variables },
        });
        if (code !== 0) throw new Error(stderr.trim().split('\n').at(-1));
      }
      return variables;
    } catch (error) {
      console.log(`\nleft out: podman (${(error as Error).message})`);
      return undefined;
    }
  }

  async function compare(name: string, title: string, sides: Side[]): Promise<void> {
    if (wanted.length > 0 && !wanted.includes(name)) return;
    printTable(title, sides, await measure(sides, { user, scratch, rounds }));
  }

  function makeFolder(name: string): string {
    const path = join(scratch, name);
    mkdirSync(path, { recursive: true });
    if (isRoot) chownSync(path, user.uid, user.gid);
    return path;
  }
} finally {
  helper.remove();
  rmSync(scratch, { recursive: true, force: true });
}

function findScratch(): string {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 4e9 ? memory : tmpdir();
}

function makeRootfs(root: string): string {
  for (const name of ['', 'bin', 'dev', 'etc', 'proc', 'tmp']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of ['echo', 'sh', 'true']) symlinkSync('busybox', join(root, 'bin', name));
  return root;
}
