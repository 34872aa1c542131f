// Each engine against a program that tries what a tool must not do, as an unprivileged user (programs/escape/main.c).
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Command } from '#base/command.ts';
import type { Engine } from '#engine/sandbox.ts';
import { addClients, type Engines, openEngines, ownEngines } from '../support/engines.ts';
import { findUser, isRoot, needPackages, run } from '../support/machine.ts';
import { makePlace, type Place } from '../support/sandbox.ts';

let place: Place;
let engines: Engines;
let counter = 0;
let program: string;
/** Names of the attempts that succeed on this machine without a sandbox. */
let possible: Set<string>;

/**
 * What is open on an engine by its nature, for a reason that native/README.md gives; everything else must be refused. A
 * race can be lost by chance, so these need not succeed.
 */
function findOpen(name: string, engine: Engine): string[] {
  // The profile that it was built with decides.
  if (name === 'podman' || name === 'apptainer') return ['vsock'];
  if (name.startsWith('userns')) return [];
  // Between PRoot's look and the kernel's, a link can be exchanged. Landlock does not look at modes, owners and times.
  const races =
    engine.rules.writes === 'kernel' ? ['chmod-race'] : ['link-race', 'rename-race', 'memory-race', 'chmod-race'];
  // No IPC namespace is made: what has a number belongs to the user on that node.
  return [...races, 'sysv-memory', 'sysv-memory-list', 'sysv-semaphores', 'sysv-queue'];
}

/** Errors by which a kernel says that it has no such thing, or lets no user have it. */
const absences = new Set(
  'ENOSYS EPERM EOPNOTSUPP EAFNOSUPPORT EPROTONOSUPPORT ENOTTY EIO EACCES EINVAL ENODEV'.split(' '),
);

const raise = '#include <errno.h>\n#include <unistd.h>\nint main(void) { return geteuid() == 0 ? 42 : EPERM; }\n';

before(async () => {
  needPackages('attr');
  place = makePlace(findUser());
  engines = await openEngines(place);
  await addClients(engines, place);
  program = place.compile('test/engine/programs/escape', 'escape');
  copyFileSync(program, join(place.rootfs, 'bin/escape'));
  writeFileSync(join(place.folder, 'program.c'), 'int main(void) { return 42; }\n');
  run('gcc', ['-static', '-o', join(place.folder, 'program'), join(place.folder, 'program.c')]);
  // Left as it is without root, when it raises nobody.
  writeFileSync(join(place.folder, 'raise.c'), raise);
  run('gcc', ['-static', '-o', join(place.rootfs, 'bin/raise'), join(place.folder, 'raise.c')]);
  chmodSync(join(place.rootfs, 'bin/raise'), 0o4755);
});
after(() => place?.remove());

/** What lies outside: fresh for each engine, so that a success spoils nothing for the next. */
interface Outside {
  folder: string;
  inputs: string;
  work: string;
  victim: ChildProcess;
  pid: string;
  key: string;
}

async function makeOutside(context: TestContext): Promise<Outside> {
  const folder = place.makeFolder(`out-${++counter}`);
  const inputs = place.makeFolder(`in-${counter}`);
  const own = (path: string) => isRoot && chownSync(path, place.user.uid, place.user.gid);
  mkdirSync(join(folder, 'open'));
  copyFileSync(join(place.folder, 'program'), join(folder, 'program'));
  writeFileSync(join(folder, 'file'), 'secret\n');
  writeFileSync(join(folder, 'open/ring'), '');
  for (const name of ['open', 'program', 'file', 'open/ring']) own(join(folder, name));
  for (let i = 0; i < 60; i++) {
    writeFileSync(join(inputs, String(i)), 'input\n');
    own(join(inputs, String(i)));
  }
  const ids = isRoot ? { uid: place.user.uid, gid: place.user.gid } : {};
  const victim = spawn(program, ['victim', folder], { ...ids, stdio: ['pipe', 'pipe', 'inherit'] });
  context.after(() => victim.kill('SIGCONT') && victim.stdin?.end());
  const line = await new Promise<string>((resolve, reject) => {
    victim.stdout?.once('data', data => resolve(String(data)));
    victim.once('exit', code => reject(new Error(`the victim has ended with ${code}`)));
  });
  victim.removeAllListeners('exit');
  const [pid = '', key = ''] = line.trim().split(' ');
  return { folder, inputs, work: place.makeFolder(`work-${counter}`), victim, pid, key };
}

/** Runs a command that inherits what its starter has left open: a file and a folder outside. */
function runWithDescriptors(command: Command, { folder }: Outside) {
  const script = 'file=$0; folder=$1; shift; exec 7<"$file" 8<"$folder"; "$@"';
  return place.run({ ...command, argv: ['/bin/sh', '-c', script, join(folder, 'file'), folder, ...command.argv] });
}

function parse(stdout: string): Map<string, string> {
  return new Map([...stdout.matchAll(/^(\S+) (ESCAPED|ok \S+)$/gm)].map(match => [match[1]!, match[2]!]));
}

function look(folder: string): string[] {
  const describe = (path: string) => {
    const { mode, uid, gid, size, mtimeMs, nlink } = lstatSync(path);
    const attributes = run('getfattr', ['--absolute-names', '-d', path]);
    return [path, mode, uid, gid, size, mtimeMs, nlink, attributes].join(' ');
  };
  return [
    describe(folder),
    ...readdirSync(folder)
      .sort()
      .map(name => describe(join(folder, name))),
  ];
}

test('what the program tries succeeds where there is no sandbox', async t => {
  const outside = await makeOutside(t);
  const argv = [program, 'try', outside.folder, outside.inputs, outside.pid, outside.key];
  const { stdout, stderr } = await runWithDescriptors(
    { argv, cwd: outside.work, env: { HOST_HOME: place.user.home, HOST: '1', RAISE: join(place.rootfs, 'bin/raise') } },
    outside,
  );
  const attempts = parse(stdout);
  assert.match(stdout, /^end$/m, stderr);
  possible = new Set([...attempts.keys()].filter(name => attempts.get(name) === 'ESCAPED'));
  const failed = [...attempts].filter(([, result]) => result !== 'ESCAPED');
  for (const [name, result] of failed) t.diagnostic(`not to be had here: ${name} (${result.slice(3)})`);
  const strange = failed.filter(([, result]) => !absences.has(result.slice(3)));
  assert.deepEqual(strange, [], stdout);
  assert.ok(possible.size > 120, stdout);
});

for (const name of [...ownEngines, 'podman', 'apptainer']) {
  test(`${name}: nothing outside is seen, run, changed or reached`, async t => {
    const engine = engines.byName.get(name);
    if (!engine) return t.skip(engines.absent.get(name));
    const outside = await makeOutside(t);
    const root = readdirSync(place.rootfs, { recursive: true }).sort();
    const before = [look(outside.inputs), look(join(outside.folder, 'open'))];
    const shared = readdirSync('/dev/shm').sort();
    const argv = ['/bin/escape', 'try', outside.folder, '/in/1', outside.pid, outside.key];
    const command = engine.planCommand(
      {
        rootfs: place.rootfs,
        binds: [
          { host: outside.work, guest: '/w', writable: true },
          { host: outside.inputs, guest: '/in/1', writable: false },
        ],
        cwd: '/w',
        env: { PATH: '/bin', HOST_HOME: place.user.home, RAISE: '/bin/raise' },
        network: false,
        argv,
      },
      place.makeFolder(`temporary-${counter}`),
    );
    const { stdout, stderr, code } = await runWithDescriptors(command, outside);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^end$/m);
    const attempts = parse(stdout);
    const escaped = [...attempts.keys()].filter(attempt => attempts.get(attempt) === 'ESCAPED');
    const open = findOpen(name, engine);
    assert.deepEqual(
      escaped.filter(attempt => !open.includes(attempt)),
      [],
      stdout + stderr,
    );
    assert.deepEqual(
      [...possible].filter(attempt => !attempts.has(attempt)),
      [],
      'all was tried',
    );
    assert.deepEqual([look(outside.inputs), look(join(outside.folder, 'open'))], before);
    assert.deepEqual(readdirSync(place.rootfs, { recursive: true }).sort(), root, 'the rootfs is as it was');
    assert.ok(!readdirSync('/dev/shm').includes('escape-left') || shared.includes('escape-left'));
    assert.equal(outside.victim.exitCode ?? outside.victim.signalCode, null, 'the victim lives');
  });
}

for (const name of ['none', 'userns', 'proot', 'proot-slow alone']) {
  test(`${name}: what is typed into the terminal is typed by the user`, async t => {
    needPackages('bsdutils');
    const engine = engines.byName.get(name);
    if (!engine && name !== 'none') return t.skip(engines.absent.get(name));
    const sandbox = {
      rootfs: place.rootfs,
      binds: [],
      cwd: '/',
      env: { PATH: '/bin' },
      network: true,
      argv: ['/bin/escape', 'terminal'],
    };
    const own = { argv: [program, 'terminal'], cwd: place.folder, env: {} };
    const command =
      engine?.planCommand(sandbox, place.makeFolder(`temporary-${++counter}`), { isTerminal: true }) ?? own;
    const quoted = command.argv.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    // A terminal of its own, of which the command is the session's leader.
    const { stdout } = await place.run({ ...command, argv: ['/usr/bin/script', '-qec', quoted, '/dev/null'] });
    const result = /tty-type (ESCAPED|ok \S+)/m.exec(stdout)?.[1];
    if (name !== 'none') assert.equal(result, 'ok EPERM', stdout);
    // Since Linux 6.2 an administrator can forbid it to all.
    else if (result !== 'ok EIO') assert.equal(result, 'ESCAPED', stdout);
    else t.diagnostic('this kernel lets nobody do that');
    assert.doesNotMatch(stdout, /tty-paste/);
  });
}
