// The helper's commands `probe` and `shell`, from its bundle, as an unprivileged user.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Sandbox } from '#engine/sandbox.ts';
import type { ProbeReport } from '#protocol/probe.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';
import { makePlace, type Place } from '../support/sandbox.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
let helper: InstalledHelper;
let place: Place;
let folder: string;

before(async () => {
  helper = await installHelper(findUser());
  cpSync(join(root, 'native/bin', `linux-${process.arch}`), join(helper.folder, 'bin'), { recursive: true });
  place = makePlace(findUser());
});
after(() => {
  helper?.remove();
  place?.remove();
});

/** A run of which one task has begun, as the runner leaves it on disk. */
function makeRun(engine: string): string {
  folder = place.makeFolder(`run-${engine}`);
  for (const name of ['tasks', 'tasks/align', 'tasks/align/work', 'slots', 'slots/tmp1']) {
    place.makeFolder(`run-${engine}/${name}`);
  }
  const task = join(folder, 'tasks/align');
  writeFileSync(join(task, 'work/reads'), 'ACGT\n');
  const sandbox: Sandbox = {
    rootfs: place.rootfs,
    binds: [
      { host: join(task, 'work'), guest: '/w', writable: true },
      { host: join(folder, 'slots/tmp1'), guest: '/tmp', writable: true },
    ],
    cwd: '/w',
    env: { PATH: '/bin', HOME: '/w', REFERENCE: 'a b' },
    argv: ['/bin/echo', 'aligned', "it's", '$HOME'],
    network: false,
  };
  const description = {
    task: 'align',
    sandbox,
    engine,
    tmpdir: join(folder, 'slots/tmp1'),
    commandLine: "/bin/echo aligned 'it'\\''s' '$HOME'",
  };
  writeFileSync(join(folder, 'sandboxes.jsonl'), `${JSON.stringify(description)}\n`);
  const time = new Date().toISOString();
  const events = [
    {
      type: 'run-started',
      time,
      label: 'x',
      outdir: join(folder, 'out'),
      pid: 1,
      hostname: 'h',
      bootId: 'b',
      steps: [{ id: 'align' }],
      resumed: false,
    },
    { type: 'task', time, task: 'align', step: 'align', state: 'running', folder: task },
  ];
  writeFileSync(join(folder, 'journal.jsonl'), events.map(event => `${JSON.stringify(event)}\n`).join(''));
  if (isRoot) spawnSync('chown', ['-R', `${place.user.uid}:${place.user.gid}`, folder]);
  return folder;
}

test('probe tells what works here, and remembers it', async () => {
  const { code, stdout, stderr } = await helper.run(['probe', '--json']);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as ProbeReport;
  const proot = report.engines.find(each => each.engine === 'proot');
  assert.ok(proot?.works, stdout);
  assert.ok((proot.statCost as number) > 500, 'a look at a file through PRoot takes its time');
  assert.equal(report.best, report.engines.find(each => each.works)?.engine);
  const kept = readdirSync(join(helper.home, 'probe'));
  assert.deepEqual(kept.length, 1, `${kept}`);
  writeFileSync(
    join(helper.home, 'probe', kept[0]!),
    readFileSync(join(helper.home, 'probe', kept[0]!), 'utf8').replaceAll('"works":true', '"works":false'),
  );
  assert.equal((await helper.run(['probe'])).code, 1, 'the second answer is the kept one');
  assert.equal((await helper.run(['probe', '--fresh'])).code, 0);
});

for (const engine of ['userns', 'proot']) {
  test(`shell runs a command in the sandbox of a task (${engine})`, async () => {
    const run = makeRun(engine);
    const script = 'pwd; echo "$REFERENCE"; cat reads; touch made; ls /; exit 7';
    const { code, stdout, stderr } = await helper.run(['shell', run, 'align', '--', '/bin/sh', '-c', script]);
    assert.equal(code, 7, stderr);
    assert.match(stdout, /^\/w\na b\nACGT\n/);
    assert.ok(!stdout.includes('home'), stdout);
    assert.ok(existsSync(join(run, 'tasks/align/work/made')));
    assert.ok(!readdirSync(join(run, 'tasks/align')).some(name => name.startsWith('shell-')), 'nothing is left behind');
  });

  test(`shell opens a terminal in which the step is ready to run (${engine})`, async () => {
    needPackages('bsdutils');
    const run = makeRun(engine);
    // script(1) gives it a terminal, as the editor does.
    const line = `'${helper.node}' '${helper.bundle}' shell '${run}' align`;
    const { stdout } = await runAs(helper.user, 'script', ['-qec', line, '/dev/null'], {
      env: { CWL_ON_CLUSTERS_HOME: helper.home, TERM: 'dumb' },
      input: 'step more\npwd; [ -t 0 ] && echo is-a-tty-$((1+1)); exit 5\n',
      cwd: helper.folder,
    });
    assert.match(stdout, /The sandbox of align/);
    assert.match(stdout, /aligned it's \$HOME more\r?\n/);
    assert.match(stdout, /^\/w\r?$/m);
    assert.match(stdout, /is-a-tty-2/);
  });
}

test('shell says what is there when the step is not', async () => {
  const run = makeRun('proot');
  const { code, stderr } = await helper.run(['shell', run, 'sort']);
  assert.equal(code, 1);
  assert.match(stderr, /no step sort\nIt has: align\./);
  assert.equal((await helper.run(['shell', run])).code, 2);
});

test('an engine that does not exist, or does not work, is named with what to do', async () => {
  const { code, stderr } = await helper.run(['shell', makeRun('magic'), 'align', '--', 'true']);
  assert.equal(code, 1);
  assert.match(stderr, /there is no engine magic\nEngines are: auto, userns, proot/);
});
