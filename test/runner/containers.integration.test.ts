// Tools in containers of programs of the host's, as a user without rights: podman with root file systems from the store and
// with images that were given to it, and apptainer where it is installed (Debian 12 has none).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeFiles } from '../support/files.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, runAs, spawnAs } from '../support/machine.ts';
import { openPodman } from '../support/podman.ts';

const needsRoot = isRoot ? undefined : 'only root can make a user without rights';
/** Why there is nothing to test, by program. */
const skips = { podman: needsRoot, apptainer: needsRoot };
let helper: InstalledHelper;
let folder: string;
let env: Record<string, string>;
let sleep = 4200;

const tool = (body: string, more = '') =>
  `cwlVersion: v1.2\nclass: CommandLineTool\nrequirements:\n  DockerRequirement: {dockerLoad: image}\n${more}${body}`;

const sleeper = 'baseCommand: sleep\ninputs: {n: {type: int, inputBinding: {}}}\noutputs: []\n';

before(async () => {
  if (needsRoot) return;
  const user = findUser();
  helper = await installHelper(user);
  folder = join(helper.folder, 'documents');
  try {
    env = await openPodman(user, join(helper.folder, 'podman'));
  } catch (error) {
    skips.podman = (error as Error).message;
    env = {};
  }
  if (spawnSync('apptainer', ['--version']).error) skips.apptainer = 'apptainer is not installed';
  writeLayout(join(folder, 'image'), {
    'local/tools:1': busyboxImage({ config: { Env: ['PATH=/bin', 'FROM_IMAGE=yes'] } }),
  });
  writeFiles(folder, {
    'a,b/in put.txt': 'input\n',
    // As Docker without root says of itself; all else is podman's.
    docker: `#!/bin/sh
case "$1" in
--version) echo Docker version 24.0.0 ;;
info) echo '[name=seccomp,profile=builtin name=rootless]' ;;
# Docker makes no places to write to in a read-only root.
run) shift; exec podman run --read-only-tmpfs=false "$@" ;;
*) exec podman "$@" ;;
esac
`,
    'look.cwl': tool(
      `baseCommand: [sh, -c]
arguments:
  - |
    pwd; echo $HOME $TMPDIR $FROM_IMAGE $TOKEN $LD_PRELOAD; id -u; cat "$0"; cat; grep -c : /proc/net/dev
    (echo x >> "$0") 2>/dev/null && echo wrote input
    (echo x > /etc/made) 2>/dev/null && echo wrote image
    (echo x > /var/tmp/made || echo x > /run/made) 2>/dev/null && echo wrote elsewhere
    [ -e /home/cwl-test ] && ls /home/*; touch $TMPDIR/t /tmp/u; echo made > made.txt
stdin: $(inputs.file.path)
inputs: {file: {type: File, inputBinding: {}}}
outputs: {said: stdout, made: {type: File, outputBinding: {glob: made.txt}}}
stdout: said.txt
`,
      '  EnvVarRequirement: {envDef: {TOKEN: "a=b c", LD_PRELOAD: /none.so}}\n',
    ),
    'look.yml': 'file: {class: File, location: "a,b/in put.txt"}\n',
    'fail.cwl': tool('baseCommand: [sh, -c, "echo no good >&2; exit 3"]\ninputs: []\noutputs: []\n'),
    'none.cwl': tool('baseCommand: no-such-program\ninputs: []\noutputs: []\n'),
    'net.cwl': tool(
      'baseCommand: [sh, -c, "ls -l /proc/self/ns/net"]\ninputs: []\noutputs: {said: stdout}\nstdout: said.txt\n',
      '  NetworkAccess: {networkAccess: true}\n',
    ),
    'late.cwl': tool(sleeper, '  ToolTimeLimit: {timelimit: 2}\n'),
    'sleep.cwl': tool(sleeper),
  });
  chmodSync(join(folder, 'docker'), 0o755);
  spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
});
after(() => helper?.remove());

function isRunning(seconds: number): boolean {
  return spawnSync('pgrep', ['-f', `^(/bin/)?sleep ${seconds}$`]).status === 0;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if (condition()) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not happen in 20 seconds`);
}

for (const [name, program, choice] of [
  ['podman, in place', 'podman', ['--engine', 'podman']],
  ['podman, as an image', 'podman', ['--engine', 'docker', '--docker-command', './docker']],
  ['apptainer', 'apptainer', ['--engine', 'apptainer']],
] as const) {
  const run = async (...args: string[]) => {
    const outdir = join(folder, `out-${name.replaceAll(/\W/g, '')}-${args[0]}`);
    const options = [...choice, '--outdir', outdir, '--log-dir', join(folder, 'logs')];
    const result = await helper.run(['run', ...options, ...args], { cwd: folder, env });
    return { ...result, read: (file: string) => readFileSync(join(outdir, file), 'utf8') };
  };

  test(`${name}: a tool sees its image and what it was given, and changes nothing else`, async t => {
    if (skips[program]) return t.skip(skips[program]);
    const loaded = await helper.run(['image', 'load', 'image', '--json'], { cwd: folder, env });
    assert.equal(loaded.code, 0, loaded.stderr);
    const [hex = ''] = readdirSync(join(helper.home, 'images/rootfs/v1'));
    const root = join(helper.home, 'images/rootfs/v1', hex, 'root');
    const before = readdirSync(root, { recursive: true }).sort();
    const result = await run('look.cwl', 'look.yml');
    assert.equal(result.code, 0, result.stderr);
    // Where ids can't be kept, root inside is the caller.
    const uid = name === 'podman, as an image' ? '0' : String(findUser().uid);
    const expected = ['/w', '/w /t yes a=b c /none.so', uid, 'input', 'input', '1'];
    assert.deepEqual(result.read('said.txt').trim().split('\n'), expected);
    assert.equal(result.read('made.txt'), 'made\n');
    assert.equal(readFileSync(join(folder, 'a,b/in put.txt'), 'utf8'), 'input\n');
    assert.deepEqual(readdirSync(root, { recursive: true }).sort(), before, 'the image is as it was');
    const lines = readFileSync(join(folder, 'logs', 'journal.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const started = lines.map(line => JSON.parse(line)).findLast(event => event.state === 'running');
    const inputs = name.startsWith('podman') ? 'kernel' : 'checked';
    assert.deepEqual(started.rules, { network: 'kernel', writes: 'kernel', inputs, rootfs: 'kernel' });
    assert.equal(started.engine, choice[1]);
  });

  test(`${name}: exit codes are those of the tool`, async t => {
    if (skips[program]) return t.skip(skips[program]);
    const failed = await run('fail.cwl');
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /ended with exit code 3[\s\S]*no good/);
    const none = await run('none.cwl');
    assert.match(none.stderr, /ended with exit code (?:127|255)[\s\S]*no-such-program/);
  });

  test(`${name}: NetworkAccess gives the network of the host`, async t => {
    if (skips[program]) return t.skip(skips[program]);
    const result = await run('net.cwl');
    assert.equal(result.code, 0, result.stderr);
    const own = spawnSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).stdout.trim();
    assert.ok(result.read('said.txt').includes(own), result.read('said.txt'));
  });

  test(`${name}: a time limit ends the container`, async t => {
    if (skips[program]) return t.skip(skips[program]);
    const seconds = ++sleep;
    const late = await run('late.cwl', '--n', String(seconds));
    assert.equal(late.code, 1);
    assert.match(late.stderr, /ran longer than its ToolTimeLimit/);
    assert.ok(!isRunning(seconds));
    if (program !== 'podman') return;
    const left = await runAs(findUser(), 'podman', ['ps', '--all', '--quiet'], { env });
    assert.equal(left.stdout, '');
  });

  test(`${name}: who cancels a run ends its containers`, async t => {
    if (skips[program]) return t.skip(skips[program]);
    const seconds = ++sleep;
    const args = [helper.bundle, 'run', ...choice, '--outdir', folder, 'sleep.cwl', '--n', String(seconds)];
    const child = spawnAs(findUser(), helper.node, args, {
      cwd: folder,
      env: { ...env, CWL_ON_CLUSTERS_HOME: helper.home },
      stdio: 'ignore',
    });
    t.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    await until(() => isRunning(seconds), 'the start of the container');
    child.kill('SIGINT');
    assert.deepEqual(await ended, [130, null]);
    assert.ok(!isRunning(seconds));
  });

  test(`${name}: what a killed run has left ends when it is cancelled`, async t => {
    if (skips[program]) return t.skip(skips[program]);
    const seconds = ++sleep;
    const args = [helper.bundle, 'run', ...choice, '--outdir', folder, 'sleep.cwl', '--n', String(seconds)];
    const options = { cwd: folder, env: { ...env, CWL_ON_CLUSTERS_HOME: helper.home } };
    const child = spawnAs(findUser(), helper.node, args, { ...options, stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    await until(() => isRunning(seconds), 'the start of the container');
    child.kill('SIGKILL');
    await ended;
    const list = JSON.parse((await helper.run(['runs', 'list', '--json'], { env })).stdout);
    const killed = list.find((run: { state: string }) => run.state === 'interrupted');
    const cancelled = await helper.run(['runs', 'cancel', killed.id], { env });
    assert.equal(cancelled.code, 0, cancelled.stderr);
    await until(() => !isRunning(seconds), 'the end of the container');
    await helper.run(['runs', 'remove', killed.id], { env });
  });
}

test('probe tells once what fails in all ways for one reason', async t => {
  if (skips.podman) return t.skip(skips.podman);
  const broken = { ...env, CONTAINERS_CONF: join(folder, 'broken.conf') };
  writeFiles(folder, { 'broken.conf': '[engine]\nruntime="/none/such"\n' });
  const { code, stdout } = await helper.run(['probe', '--engine', 'podman'], { env: broken });
  assert.equal(code, 1);
  assert.equal(stdout.match(/^no +podman: /gm)?.length, 1, stdout);
});
