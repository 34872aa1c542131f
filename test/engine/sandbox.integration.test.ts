// What each engine of the kit promises to programs, as an unprivileged user; what it refuses is in escape.integration.test.ts.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Engine, Sandbox } from '#engine/sandbox.ts';
import { openEngines, ownEngines } from '../support/engines.ts';
import { findUser, isRoot } from '../support/machine.ts';
import { makePlace, type Place } from '../support/sandbox.ts';

let place: Place;
let engines: Map<string, Engine>;
let other: ChildProcess;
let work: string;
let counter = 0;

before(async () => {
  place = makePlace(findUser());
  engines = (await openEngines(place)).byName;
  work = place.makeFolder('work');
  const ids = isRoot ? { uid: place.user.uid, gid: place.user.gid } : {};
  other = spawn('sleep', ['300'], { ...ids, stdio: 'ignore' });
});
after(() => {
  other?.kill('SIGKILL');
  place?.remove();
});

function plan(name: string, sandbox: Partial<Sandbox>) {
  const engine = engines.get(name) as Engine;
  const binds = [{ host: work, guest: '/w', writable: true }, ...(sandbox.binds ?? [])];
  return engine.planCommand(
    { rootfs: place.rootfs, cwd: '/w', env: { PATH: '/bin' }, network: false, argv: [], ...sandbox, binds },
    place.makeFolder(`temporary-${++counter}`),
  );
}

function sh(name: string, script: string, sandbox: Partial<Sandbox> = {}) {
  return place.run(plan(name, { ...sandbox, argv: ['/bin/sh', '-c', script] }));
}

for (const name of ownEngines) {
  test(`${name}: exit statuses and signals are those of the command`, async t => {
    if (!engines.has(name)) return t.skip('this kernel has no Landlock to leave out');
    assert.equal((await sh(name, 'true; exit 3')).code, 3);
    assert.equal((await sh(name, 'sleep 20 & exit 4')).code, 4);
    const killed = await sh(name, 'true; kill -9 $$');
    assert.ok(killed.signal === 'SIGKILL' || killed.code === 137, `${killed.code} ${killed.signal}`);
    assert.equal((await place.run(plan(name, { argv: ['/bin/absent'] }))).code === 0, false);
  });

  test(`${name}: the environment, the working directory and the network are those of the sandbox`, async t => {
    if (!engines.has(name)) return t.skip('this kernel has no Landlock to leave out');
    const { stdout } = await sh(name, 'env; pwd', { env: { PATH: '/bin', FOO: 'bar baz' } });
    const lines = stdout.trim().split('\n');
    assert.ok(lines.includes('FOO=bar baz') && lines.at(-1) === '/w', stdout);
    assert.ok(!/PROOT|LD_|HOME=/.test(stdout), stdout);

    const server = createServer(socket => socket.end('reached\n')).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const ask = `nc -w 2 127.0.0.1 ${port} </dev/null`;
    assert.equal((await sh(name, ask, { network: true })).stdout, 'reached\n');
    assert.equal((await sh(name, ask)).stdout, '');
    const own = 'nc -l -p 18765 -e /bin/echo own & sleep 0.3; nc -w 2 127.0.0.1 18765 </dev/null';
    assert.equal((await sh(name, own)).stdout, 'own\n', 'the loopback device works');
    server.close();
  });

  test(`${name}: names that are hard to write are bound`, async t => {
    if (!engines.has(name)) return t.skip('this kernel has no Landlock to leave out');
    const strange = ['a:b', 'c d#', 'e!', "f'", 'ü"$x', '-b'];
    const folder = place.makeFolder(`strange-${++counter}`);
    const binds = strange.map((each, index) => {
      writeFileSync(join(folder, each), each);
      return { host: join(folder, each), guest: `/in/${index}/${each}`, writable: false };
    });
    const { stdout, stderr } = await sh(name, 'for i in /in/*/*; do cat "$i"; echo; done', { binds });
    assert.deepEqual(stdout.trim().split('\n'), strange, stderr);
  });

  test(`${name}: no word of a command is taken for an option`, async t => {
    if (!engines.has(name)) return t.skip('this kernel has no Landlock to leave out');
    // With -V, PRoot would tell its version; the options of the others would be unknown to them.
    for (const argv of [['-V'], ['--help'], ['--', '/bin/true'], ['-b', '/etc:/x', '/bin/true']]) {
      const { code, stdout, stderr } = await place.run(plan(name, { argv }));
      assert.notEqual(code, 0, `${argv}: ${stdout}`);
      assert.ok(stderr.includes(argv[0]!), stderr);
    }
  });

  test(`${name}: a process list shows the sandbox only`, async t => {
    if (!engines.has(name)) return t.skip('this kernel has no Landlock to leave out');
    const { stdout } = await sh(name, 'ps');
    assert.ok(!stdout.includes('sleep 300'), stdout);
    assert.ok(stdout.includes('/bin/sh -c ps') || stdout.includes('{ps}'), stdout);
  });

  test(`${name}: nothing of it survives its command or its caller`, async t => {
    if (!engines.has(name)) return t.skip('this kernel has no Landlock to leave out');
    const marker = `${4000 + counter++}.25`;
    await sh(name, `sleep ${marker} & sleep ${marker} & exit 0`);
    assert.equal(countProcesses(marker), 0);
    const command = plan(name, { argv: ['/bin/sh', '-c', `sleep ${marker} & sleep ${marker}`] });
    const ids = isRoot ? { uid: place.user.uid, gid: place.user.gid } : {};
    const [file = '', ...args] = command.argv;
    const child = spawn(file, args, { cwd: command.cwd, env: command.env, ...ids, stdio: 'ignore' });
    await waitFor(() => countProcesses(marker) > 0);
    child.kill('SIGKILL');
    await waitFor(() => countProcesses(marker) === 0);
  });
}

test('proot: without network namespaces, only the loopback device is reached', async t => {
  const address = Object.values(networkInterfaces())
    .flat()
    .find(each => each && !each.internal && each.family === 'IPv4')?.address;
  if (address === undefined) return t.skip('this machine has no network device but the loopback');
  const server = createServer(socket => socket.end('reached\n')).listen(0, '0.0.0.0');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  for (const name of ['proot', 'proot-slow']) {
    const ask = async (host: string, network: boolean) => {
      const command = plan(name, { network, argv: ['/bin/sh', '-c', `nc -w 2 ${host} ${port} </dev/null`] });
      // Behind the guard no namespace is to be had.
      return place.run({ ...command, argv: [place.tools.launcher, '--', ...command.argv] });
    };
    assert.equal((await ask(address, true)).stdout, 'reached\n');
    assert.equal((await ask('127.0.0.1', false)).stdout, 'reached\n');
    const refused = await ask(address, false);
    assert.equal(refused.stdout, '');
    assert.match(refused.stderr, /unreachable/i);
  }
  server.close();
});

test('no engine can be used where its programs cannot be executed', async () => {
  chmodSync(place.tools.proot, 0o644);
  const { code, stderr } = await sh('proot', 'true');
  chmodSync(place.tools.proot, 0o755);
  assert.equal(code, 126);
  assert.match(stderr, /launcher: .*proot: Permission denied/);
});

function countProcesses(marker: string): number {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      const path = `/proc/${pid}/cmdline`;
      try {
        const state = /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return (
          existsSync(path) &&
          state !== 'Z' &&
          readFileSync(path, 'utf8').split('\0').slice(0, 2).join(' ') === `sleep ${marker}`
        );
      } catch {
        return false;
      }
    }).length;
}

async function waitFor(isDone: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!isDone()) {
    assert.ok(Date.now() < end, 'waited 10 s in vain');
    await new Promise(resolve => setTimeout(resolve, 30));
  }
}
