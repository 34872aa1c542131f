// Nodes that allow other things than the one next to them, made of this machine: namespaces with settings of their own, mounts
// that forbid, filters that refuse system calls. They share the folder of the helper, as the nodes of a cluster do.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { NodeReport, ProbeReport } from '#protocol/probe.ts';
import { writeFiles } from '../support/files.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, run, runAs } from '../support/machine.ts';

const skip = isRoot ? false : 'only root can mount, and become another user';
let helper: InstalledHelper;
let refuse: string;
let oldKernel: string;

before(async () => {
  if (skip) return;
  needPackages('gcc', 'libc6-dev', 'util-linux');
  helper = await installHelper(findUser());
  const compile = (name: string) => {
    const program = join(helper.folder, name);
    run('gcc', ['-static', '-o', program, join(import.meta.dirname, '../engine/programs', `${name}.c`)]);
    return program;
  };
  [refuse, oldKernel] = [compile('refuse'), compile('old-kernel')];
  writeLayout(join(helper.folder, 'image'), { 'local/tools:1': busyboxImage() });
  writeFiles(helper.folder, {
    'tool.cwl': `cwlVersion: v1.2
class: CommandLineTool
requirements: {DockerRequirement: {dockerLoad: image}}
baseCommand: [echo, done]
inputs: []
outputs: []
`,
  });
  spawnSync('chown', ['-R', `${helper.user.uid}:${helper.user.gid}`, helper.folder]);
});
beforeEach(() => {
  if (!skip) rmSync(join(helper.home, 'probe'), { recursive: true, force: true });
});
after(() => helper?.remove());

/** Runs the helper behind `front`, as the user. */
function on(front: string[], args: string[], env: Record<string, string> = {}) {
  const [file = '', ...words] = [...front, helper.node, helper.bundle, ...args];
  return runAs(helper.user, file, words, {
    cwd: helper.folder,
    env: { CWL_ON_CLUSTERS_HOME: helper.home, ...env },
  });
}

async function probe(front: string[], ...args: string[]): Promise<ProbeReport> {
  const { stdout, stderr } = await on(front, ['probe', '--json', ...args]);
  assert.match(stdout, /^\{/, stderr);
  return JSON.parse(stdout) as ProbeReport;
}

function find(report: NodeReport, what: string) {
  const finding = report.findings.find(each => each.what.startsWith(what));
  assert.ok(finding, `${what} is told of`);
  return finding;
}

/** A user namespace whose users may make no others: sysctl user.max_user_namespaces is counted in each. */
const withoutNamespaces = [
  'unshare',
  '--user',
  '--map-root-user',
  'sh',
  '-c',
  'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"',
  'sh',
];

function listKept(): string[] {
  return readdirSync(join(helper.home, 'probe'));
}

test('each class of nodes is tested by itself, and remembered', { skip }, async () => {
  const login = await probe([]);
  assert.equal(login.best, 'userns');
  const compute = await probe(withoutNamespaces);
  assert.equal(compute.best, 'proot', 'what the first node can do is not believed of the second');
  assert.match(
    find(compute, 'user namespaces').message,
    /switched off \(user\.max_user_namespaces is 0\)\. An administrator/,
  );
  assert.equal(listKept().length, 2);
  const again = await probe([]);
  assert.deepEqual([again.best, again.tested], [login.best, login.tested]);
  assert.equal((await probe(withoutNamespaces)).tested, compute.tested);
  assert.notEqual((await probe([], '--fresh')).tested, login.tested);
});

test('a job is another class than the login, and says which job it was', { skip }, async () => {
  await probe([]);
  const { stdout } = await on([], ['probe'], { SLURM_JOB_ID: '4711' });
  assert.match(stdout, /, in a Slurm job 4711\n/);
  assert.equal(listKept().length, 2);
  const next = await on([], ['probe'], { SLURM_JOB_ID: '4712' });
  assert.match(next.stdout, /, in a Slurm job 4712\n/);
  assert.equal(listKept().length, 2, 'every job of a class is like the others');
});

test('a run says on which node it is, what its tools run in, and why', { skip }, async () => {
  await probe([]);
  const start = (front: string[]) => on(front, ['run', '--outdir', 'out', '--log-dir', 'logs', 'tool.cwl']);
  const readEngine = () => {
    const lines = readFileSync(join(helper.folder, 'logs/journal.jsonl'), 'utf8').trim().split('\n');
    return lines.map(line => JSON.parse(line)).find(event => event.type === 'engine');
  };
  assert.equal((await start([])).code, 0);
  assert.equal(readEngine().engine, 'userns');
  const { code, stderr } = await start(withoutNamespaces);
  assert.equal(code, 0, stderr);
  const { engine, hostname: node, why } = readEngine();
  assert.deepEqual([engine, node], ['proot', hostname()]);
  assert.match(why, /^PRoot works, .*; userns: this node gives no user namespaces/);
  assert.ok(stderr.includes(`Tools with an image run with proot on ${hostname()}: PRoot works`), stderr);
});

test('the editor is told of all classes that were seen', { skip }, async () => {
  await probe([]);
  const [first = ''] = listKept();
  await probe(withoutNamespaces);
  writeFileSync(join(helper.home, 'probe', 'broken.json'), '{"engines":');
  // As an older kit would have left it.
  const old = JSON.parse(readFileSync(join(helper.home, 'probe', first), 'utf8'));
  writeFileSync(join(helper.home, 'probe', 'old.json'), JSON.stringify({ ...old, tested: '2020-01-01T00:00:00.000Z' }));
  const { connection, close } = helper.serve();
  const nodes = (await connection.sendRequest('probe/nodes')) as NodeReport[];
  await close();
  assert.deepEqual(
    nodes.map(each => each.best),
    ['proot', 'userns'],
    'the newest first',
  );
  assert.equal(nodes[0]?.className, hostname().split('.')[0]?.replaceAll(/\d+/g, '#'));
});

test('many nodes that start at once leave one whole report', { skip }, async () => {
  const reports = await Promise.all(Array.from({ length: 6 }, () => probe([], '--fresh')));
  assert.deepEqual(new Set(reports.map(each => each.best)), new Set(['userns']));
  assert.equal(listKept().length, 1, `${listKept()}`);
  assert.equal((await probe([])).best, 'userns');
});

test('a report that was cut off is made anew', { skip }, async () => {
  await probe([]);
  const [name = ''] = listKept();
  const path = join(helper.home, 'probe', name);
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 100));
  assert.equal((await probe([])).best, 'userns');
  assert.doesNotThrow(() => JSON.parse(readFileSync(path, 'utf8')));
});

test('where tracing is forbidden, user namespaces are used; where both are, it says so', { skip }, async () => {
  const untraced = await probe([refuse, 'ptrace']);
  assert.equal(untraced.best, 'userns');
  assert.equal(find(untraced, 'tracing').isGood, false);
  const { code, stdout } = await on([refuse, 'ptrace,namespaces'], ['probe']);
  assert.equal(code, 1);
  assert.match(stdout, /^No sandbox works here, so only tools that need no image can be run/m);
  assert.match(stdout, /^poor {2}user namespaces: (?:are not given here|this node gives no)/m);
  assert.match(
    stdout,
    /^poor {2}tracing \(ptrace\): is forbidden on this node \(proot error: ptrace\(TRACEME\): .*ptrace_scope of 0 or 1/m,
  );
  const failed = await on([refuse, 'ptrace,namespaces'], ['run', '--outdir', 'out', 'tool.cwl']);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /no sandbox works on this node \(\S+\): .*user namespaces.*ptrace/s);
  assert.equal(listKept().length, 1, 'that nothing works is not remembered');
});

test('without Landlock and without seccomp filters, it says what follows', { skip }, async () => {
  const bare = await probe([refuse, 'landlock']);
  assert.match(find(bare, 'Landlock').message, /inputs and images are looked at after each step instead/);
  const unguarded = await on([refuse, 'seccomp,namespaces'], ['probe']);
  assert.equal(unguarded.code, 1);
  assert.match(unguarded.stdout, /^poor {2}seccomp acceleration of PRoot: is refused, and so are all filters/m);
});

test('an old kernel is told of, and tested as what it is', { skip: skip || process.arch !== 'x64' }, async () => {
  const report = await probe([oldKernel, '313']);
  assert.match(find(report, 'kernel').message, /^Linux 2\.6\.\d+.* is old\. Images whose C library asks/);
  assert.match(find(report, 'Landlock').message, /is not in this kernel|is left out/);
});

/** As the user, in a mount namespace in which root has done `mount`. */
const mounted = (mount: string) => [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `${mount} && exec setpriv --reuid ${helper.user.uid} --regid ${helper.user.gid} --clear-groups "$@"`,
  'sh',
];

function onMount(mount: string, args: string[]) {
  const [file = '', ...words] = [...mounted(mount), helper.node, helper.bundle, ...args];
  const env = { CWL_ON_CLUSTERS_HOME: helper.home, PATH: '/usr/bin:/bin', HOME: helper.user.home };
  return spawnSync(file, words, { cwd: helper.folder, env, encoding: 'utf8' });
}

test('a folder that is mounted noexec is named, with what to do', { skip }, () => {
  mkdirSync(helper.home, { recursive: true });
  const { status, stdout, stderr } = onMount(`mount -t tmpfs -o noexec,mode=777 none ${helper.home}`, ['probe']);
  assert.equal(status, 1, stderr);
  assert.match(
    stdout,
    /^poor {2}programs in the folders of the helper: can't be run in \S+ and \S+: .* noexec\. Choose/m,
  );
});

test('so is a store of images that is', { skip }, () => {
  const store = join(helper.folder, 'store');
  mkdirSync(store);
  const args = ['run', '--outdir', '/tmp', '--image-store', store, 'tool.cwl'];
  const { status, stderr } = onMount(`mount -t tmpfs -o noexec,mode=777 none ${store}`, args);
  assert.equal(status, 1);
  assert.ok(stderr.includes(`the file system at ${store} is mounted noexec\nKeep images on another one`), stderr);
});

test('a home that can only be read is enough', { skip }, () => {
  mkdirSync(helper.home, { recursive: true });
  const mount = `mount --bind ${helper.home} ${helper.home} && mount -o remount,bind,ro ${helper.home}`;
  const { status, stdout, stderr } = onMount(mount, ['probe', '--json']);
  assert.equal(status, 0, stderr);
  assert.equal((JSON.parse(stdout) as ProbeReport).best, 'userns');
});
