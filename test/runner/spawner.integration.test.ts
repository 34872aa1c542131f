// Both ways to start tasks: as children of this process, and through the kit's spawner.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '#base/failure.ts';
import { ownStarter, runCommand, type Starter } from '#runner/spawn.ts';
import { Spawner } from '#runner/spawner.ts';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'native/bin', `linux-${process.arch}`, 'spawner');
const folder = mkdtempSync(join(tmpdir(), 'cwl-spawn-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function makeStreams(stdin?: string) {
  const name = join(folder, String(++count));
  if (stdin !== undefined) writeFileSync(`${name}.in`, stdin);
  return { stdin: stdin === undefined ? undefined : `${name}.in`, stdout: `${name}.out`, stderr: `${name}.err` };
}

const ways: { name: string; make(): Starter }[] = [
  { name: 'own children', make: () => ownStarter },
  { name: 'the spawner', make: () => new Spawner(program) },
];
for (const { name, make } of ways) {
  describe(name, () => {
    const starter = make();
    after(() => starter.close());
    const run = (argv: string[], options: { env?: Record<string, string>; stdin?: string; limit?: number } = {}) => {
      const streams = makeStreams(options.stdin);
      const command = { argv, cwd: folder, env: { PATH: '/usr/bin:/bin', ...options.env } };
      const { signal } = new AbortController();
      const ended = runCommand(command, { streams, starter, signal, timeLimit: options.limit });
      return { streams, ended, read: (path: string) => readFileSync(path, 'utf8') };
    };

    test('streams, working directory, environment and exit status are those that were asked for', async () => {
      const script = 'cat; pwd; echo "$A|$HOME"; echo to-stderr >&2; exit 7';
      const { ended, streams, read } = run(['sh', '-c', script], { stdin: 'given\n', env: { A: 'é "x"\ny' } });
      assert.deepEqual(await ended, { code: 7, signal: null, isLate: false });
      assert.equal(read(streams.stdout), `given\n${folder}\né "x"\ny|\n`);
      assert.equal(read(streams.stderr), 'to-stderr\n');
    });

    test('standard input is empty unless a file is named, and output is appended', async () => {
      const streams = makeStreams();
      writeFileSync(streams.stdout, 'before\n');
      const command = { argv: ['sh', '-c', 'cat; echo out; echo err >&2'], cwd: folder, env: { PATH: '/bin' } };
      const { signal } = new AbortController();
      const shared = { ...streams, stderr: streams.stdout };
      await runCommand(command, { streams: shared, starter, signal, timeLimit: undefined });
      assert.equal(readFileSync(streams.stdout, 'utf8'), 'before\nout\nerr\n');
    });

    test('a signal is told by its name', async () => {
      assert.deepEqual(await run(['sh', '-c', 'kill -SEGV $$']).ended, {
        code: null,
        signal: 'SIGSEGV',
        isLate: false,
      });
    });

    test('what can not be started is told', async () => {
      await assert.rejects(
        run(['no-such-program']).ended,
        error => isFailure(error, 'runner/spawn') && /there is no program no-such-program/.test(error.message),
      );
      writeFileSync(join(folder, 'plain'), 'x');
      chmodSync(join(folder, 'plain'), 0o644);
      const isSpawnFailure = (error: unknown) => isFailure(error, 'runner/spawn');
      await assert.rejects(run([join(folder, 'plain')]).ended, isSpawnFailure);
      await assert.rejects(run(['true', 'x'.repeat(3_000_000)]).ended, isSpawnFailure);
      await assert.rejects(run(['echo', 'a\0b']).ended, isSpawnFailure);
      assert.equal((await run(['true']).ended).code, 0, 'and others can be started after it');
    });

    test('a time limit ends the whole group', async () => {
      const { ended } = run(['sh', '-c', 'sleep 60 & sleep 60'], { limit: 0.2 });
      assert.deepEqual(await ended, { code: null, signal: 'SIGTERM', isLate: true });
    });

    test('what a task has left in the background is ended with it', async () => {
      const mark = `${folder}/mark-${++count}`;
      await run(['sh', '-c', `(sleep 1; echo late > ${mark}) & exit 0`]).ended;
      await sleep(1500);
      assert.ok(!existsSync(mark));
    });

    test('signals are at their defaults', async () => {
      const { ended, streams, read } = run(['sh', '-c', 'grep -E "SigIgn|SigBlk" /proc/self/status']);
      await ended;
      assert.match(read(streams.stdout), /^SigBlk:\s0{16}\nSigIgn:\s0{16}\n$/);
    });

    // Node hands on what it was itself handed by a careless caller.
    test('no descriptor is inherited', { skip: name === 'own children' && 'sandboxes close them' }, async () => {
      const { ended, streams, read } = run(['sh', '-c', 'ls /proc/self/fd']);
      await ended;
      assert.equal(read(streams.stdout), '0\n1\n2\n3\n');
    });

    test('300 at once', async () => {
      const all = Array.from({ length: 300 }, (_, number) => run(['sh', '-c', `exit ${number % 100}`]).ended);
      assert.deepEqual(
        (await Promise.all(all)).map(exit => exit.code),
        all.map((_, number) => number % 100),
      );
    });
  });
}

test('all tasks are killed when the process that asked for them is, however hard', async () => {
  const mark = `${folder}/survivor`;
  const script = `
    import { Spawner } from '#runner/spawner.ts';
    const command = { argv: ['sh', '-c', 'echo $$ > ${mark}; sleep 30; echo still here'], cwd: '/' };
    await new Spawner(${JSON.stringify(program)}).start(command, { stdout: '/dev/null', stderr: '/dev/null' });
    console.log('started');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise(resolve => child.stdout.once('data', resolve));
  const readMark = () => (existsSync(mark) ? readFileSync(mark, 'utf8').trim() : '');
  while (readMark() === '') await sleep(20);
  const isAlive = () => readCommand(readMark()).includes(mark);
  assert.ok(isAlive());
  child.kill('SIGKILL');
  for (let turn = 0; turn < 200 && isAlive(); turn++) await sleep(50);
  assert.ok(!isAlive());
});

test('a spawner that dies is told to all who wait, and another one takes its place', async () => {
  const starter = new Spawner(program);
  const streams = makeStreams();
  const task = await starter.start({ argv: ['sleep', '30'], cwd: '/', env: { PATH: '/bin:/usr/bin' } }, streams);
  const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${task.pid}/status`, 'utf8'))?.[1]);
  process.kill(parent, 'SIGKILL');
  await assert.rejects(task.exit, error => isFailure(error, 'runner/spawner'));
  process.kill(task.pid, 'SIGKILL');
  const next = await starter.start({ argv: ['true'], cwd: '/', env: { PATH: '/bin:/usr/bin' } }, makeStreams());
  assert.equal((await next.exit).code, 0);
  await starter.close();
});

/** The command line of a process; a zombie has none. */
function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
