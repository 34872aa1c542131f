// Runs that live by themselves: started through `serve`, cut off, killed, resumed, cancelled and removed, as an
// unprivileged user on this host.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ResponseError } from 'vscode-jsonrpc/node';
import * as protocol from '#protocol/messages.ts';
import type { RunDetail, RunState } from '#protocol/runs.ts';
import { type InstalledHelper, installHelper, type Served } from '../support/helper.ts';
import { findUser } from '../support/machine.ts';

/** Says when it ran, waits until a file appears (or for ever), and says something else. */
const workflow = `
cwlVersion: v1.2
class: Workflow
requirements: { InlineJavascriptRequirement: {} }
inputs: { gate: string }
steps:
  first:
    in: []
    out: [stamp]
    run:
      class: CommandLineTool
      baseCommand: [date, +%s.%N]
      inputs: []
      stdout: stamp
      outputs: { stamp: stdout }
  second:
    in: { stamp: first/stamp, gate: gate }
    out: [text]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'echo waiting ä >&2; until [ -e "$0" ]; do sleep 0.05; done; echo through >&2; cat "$1"']
      arguments: [$(inputs.gate), $(inputs.stamp.path)]
      inputs: { stamp: File, gate: string }
      stdout: text
      outputs: { text: stdout }
outputs:
  text: { type: File, outputSource: second/text }
`;
const failing = `
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'mkdir d; touch d/f; chmod 555 d; echo it went wrong >&2; exit 3']
inputs: []
outputs: []
`;

let helper: InstalledHelper;
let served: Served;
let changes: RunDetail[] = [];

before(async () => {
  helper = await installHelper(findUser());
  await open();
});
after(async () => {
  // What a failed test has left running.
  for (const run of (await served?.connection.sendRequest(protocol.listRuns)) ?? []) {
    if (run.state === 'running') await served.connection.sendRequest(protocol.cancelRun, { id: run.id });
  }
  await served?.close();
  helper?.remove();
});

async function open(): Promise<void> {
  served = helper.serve();
  changes = [];
  served.connection.onNotification(protocol.runChanged, detail => void changes.push(detail));
  await served.connection.sendRequest(protocol.hello);
}

async function put(content: string): Promise<string> {
  const digest = createHash('sha256').update(content).digest('hex');
  await served.connection.sendRequest(protocol.putSource, { digest, base64: Buffer.from(content).toString('base64') });
  return digest;
}

async function start(content: string, inputs: Record<string, unknown> = {}): Promise<string> {
  const { id } = await served.connection.sendRequest(protocol.startRun, {
    sources: [{ path: 'tools/main.cwl', digest: await put(content) }],
    tool: 'tools/main.cwl',
    inputs,
    label: 'the test',
    options: { engine: 'host' },
  });
  return id;
}

const show = (id: string) => served.connection.sendRequest(protocol.showRun, { id });

async function waitFor(id: string, isThere: (detail: RunDetail) => boolean, seconds = 20): Promise<RunDetail> {
  let detail = await show(id);
  for (const until = Date.now() + seconds * 1000; Date.now() < until && !isThere(detail); detail = await show(id))
    await sleep(50);
  assert.ok(isThere(detail), JSON.stringify(detail, null, 2));
  return detail;
}
const inState = (state: RunState) => (detail: RunDetail) => detail.state === state;
const waiting = (detail: RunDetail) => detail.taskList.some(task => task.id === 'second' && task.state === 'running');

const gateOf = (name: string) => join(helper.folder, name);
const openGate = (gate: string) => writeFileSync(gate, '');

/** Processes of the test's user whose command line holds `word`. */
function findProcesses(word: string): number[] {
  return readdirSync('/proc').flatMap(name => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(word) ? Number(name) : [];
    } catch {
      return [];
    }
  });
}

/** The journal says that a task is running just before its process begins. */
async function untilStarted(gate: string): Promise<void> {
  for (let wait = 0; wait < 100 && findProcesses(gate).length === 0; wait++) await sleep(20);
  assert.notEqual(findProcesses(gate).length, 0);
}

async function failsWith(code: string, promise: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(promise, (error: ResponseError<protocol.FailureData>) => {
    assert.ok(error instanceof ResponseError, String(error));
    assert.equal(error.data?.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

describe('a run', () => {
  test('goes on when the connection drops, and is there for the next one', async () => {
    const gate = gateOf('gate1');
    const id = await start(workflow, { gate });
    await waitFor(id, waiting);
    served.child.kill('SIGKILL');
    await new Promise(resolve => served.child.once('exit', resolve));
    await open();
    assert.deepEqual(
      (await served.connection.sendRequest(protocol.listRuns)).map(run => [run.id, run.state]),
      [[id, 'running']],
    );
    openGate(gate);
    const detail = await waitFor(id, inState('success'));
    assert.deepEqual(
      detail.taskList.map(task => [task.id, task.state, task.exitCode]),
      [
        ['first', 'success', 0],
        ['second', 'success', 0],
      ],
    );
    const text = detail.outputs?.text as { path?: string; location?: string };
    const path = text.path ?? new URL(text.location ?? '').pathname;
    assert.ok(path.startsWith(detail.outdir), path);
    const { base64 } = await served.connection.sendRequest(protocol.readFile, { path, offset: 0, length: 100 });
    assert.match(Buffer.from(base64, 'base64').toString(), /^\d+\.\d+\n$/);
    await waitForChange(id, 'success');
    await failsWith('run/ended', served.connection.sendRequest(protocol.resumeRun, { id }));
  });

  test('that is killed is interrupted, and resuming it runs nothing again that was finished', async () => {
    const gate = gateOf('gate2');
    const id = await start(workflow, { gate });
    await waitFor(id, waiting);
    const stamp = readFileSync(join(helper.home, 'runs', id, 'tasks', 'first', 'work', 'stamp'), 'utf8');
    await failsWith('run/busy', served.connection.sendRequest(protocol.resumeRun, { id }));
    await failsWith('run/busy', served.connection.sendRequest(protocol.removeRun, { id }));
    for (const pid of findProcesses(join('runs', id)))
      if (findProcesses('--run-folder').includes(pid)) process.kill(pid, 'SIGKILL');
    const dead = await waitFor(id, inState('interrupted'), 10);
    assert.equal(dead.tasks.running, 0);
    await waitForChange(id, 'interrupted');

    await served.connection.sendRequest(protocol.resumeRun, { id });
    await waitFor(id, waiting);
    await untilStarted(gate);
    // A shell that has just forked counts twice for a moment; a tool left from before would count all the time.
    for (let wait = 0; wait < 100 && findProcesses(gate).length > 1; wait++) await sleep(20);
    assert.equal(findProcesses(gate).length, 1, 'the tool of the killed process is ended, not left beside the new one');
    openGate(gate);
    const detail = await waitFor(id, inState('success'));
    const text = detail.outputs?.text as { path?: string; location?: string };
    assert.equal(readFileSync(text.path ?? new URL(text.location ?? '').pathname, 'utf8'), stamp);
  });

  test('is cancelled with its tools, and can be resumed', async () => {
    const gate = gateOf('gate3');
    const id = await start(workflow, { gate });
    await waitFor(id, waiting);
    await untilStarted(gate);
    await served.connection.sendRequest(protocol.cancelRun, { id });
    const detail = await show(id);
    assert.equal(detail.state, 'cancelled');
    assert.deepEqual(findProcesses(gate), []);
    assert.deepEqual(
      detail.taskList.map(task => [task.id, task.state]),
      [
        ['first', 'success'],
        ['second', 'cancelled'],
      ],
    );
    openGate(gate);
    await served.connection.sendRequest(protocol.resumeRun, { id });
    await waitFor(id, inState('success'));
  });

  test('that was killed can be cancelled', async () => {
    const id = await start(workflow, { gate: gateOf('gate4') });
    await waitFor(id, waiting);
    for (const pid of findProcesses(join('runs', id))) process.kill(pid, 'SIGKILL');
    await waitFor(id, inState('interrupted'), 10);
    await served.connection.sendRequest(protocol.cancelRun, { id });
    assert.equal((await show(id)).state, 'cancelled');
  });

  test('shows its logs as they grow', async () => {
    const gate = gateOf('gate5');
    const id = await start(workflow, { gate });
    await waitFor(id, waiting);
    const key = { run: id, task: 'second', stream: 'stderr' as const };
    const pieces: { text: string; ended: boolean }[] = [];
    const subscription = served.connection.onNotification(protocol.logAppended, piece => {
      if (piece.run === id && piece.task === 'second') pieces.push(piece);
    });
    await served.connection.sendRequest(protocol.watchLog, { ...key, offset: 0 });
    for (let wait = 0; wait < 100 && pieces.length === 0; wait++) await sleep(20);
    assert.equal(pieces.map(piece => piece.text).join(''), 'waiting ä\n');
    openGate(gate);
    for (let wait = 0; wait < 200 && !pieces.at(-1)?.ended; wait++) await sleep(20);
    assert.equal(pieces.map(piece => piece.text).join(''), 'waiting ä\nthrough\n');
    assert.equal(pieces.at(-1)?.ended, true);
    subscription.dispose();
    const whole = await served.connection.sendRequest(protocol.readLog, { ...key, offset: 8 });
    assert.deepEqual(whole, { text: 'ä\nthrough\n', next: 19, ended: true });
  });

  test('opens a shell in the sandbox of a step', async () => {
    const gate = gateOf('gate7');
    const id = await start(workflow, { gate });
    await waitFor(id, waiting);
    const plan = await served.connection.sendRequest(protocol.openShell, { run: id, task: 'second' });
    assert.match(plan.commandLine, /^sh -c .*gate7/);
    const inside = await helper.run([...plan.arguments, '--', 'sh', '-c', 'pwd; ls']);
    assert.equal(inside.stdout, `${join(helper.home, 'runs', id, 'tasks', 'second', 'work')}\ntext\n`, inside.stderr);
    await failsWith('run/no-task', served.connection.sendRequest(protocol.openShell, { run: id, task: 'third' }));
    await served.connection.sendRequest(protocol.cancelRun, { id });
  });

  test('is seen by two editors at once, and told as removed to both', async () => {
    const gate = gateOf('gate6');
    const other = helper.serve();
    const seen: string[] = [];
    const gone: string[] = [];
    other.connection.onNotification(protocol.runChanged, detail => void seen.push(`${detail.id} ${detail.state}`));
    other.connection.onNotification(protocol.runRemoved, ({ id }) => void gone.push(id));
    await other.connection.sendRequest(protocol.hello);
    const id = await start(workflow, { gate });
    openGate(gate);
    for (let wait = 0; wait < 200 && !seen.includes(`${id} success`); wait++) await sleep(50);
    assert.ok(seen.includes(`${id} success`), seen.join('\n'));
    await served.connection.sendRequest(protocol.removeRun, { id });
    assert.ok(!existsSync(join(helper.home, 'runs', id)));
    for (let wait = 0; wait < 100 && !gone.includes(id); wait++) await sleep(50);
    assert.deepEqual(gone, [id]);
    await failsWith('run/unknown', served.connection.sendRequest(protocol.showRun, { id }));
    await failsWith('run/unknown', other.connection.sendRequest(protocol.showRun, { id }));
    await other.close();
  });

  test('that fails says which command, with which end, and is removed with what it left', async () => {
    const id = await start(failing);
    const detail = await waitFor(id, inState('failure'));
    assert.equal(detail.taskList[0]?.exitCode, 3);
    assert.match(detail.message ?? '', /exit code 3/);
    assert.match(detail.message ?? '', /it went wrong/);
    const folder = detail.taskList[0]?.folder ?? '';
    assert.ok(existsSync(join(folder, 'work', 'd', 'f')));
    await served.connection.sendRequest(protocol.removeRun, { id });
    assert.deepEqual(
      readdirSync(join(helper.home, 'runs')).filter(name => name.includes(id)),
      [],
    );
  });

  test('of a faulty document is refused with the place, and leaves nothing', async () => {
    const before = readdirSync(join(helper.home, 'runs'));
    await failsWith('run/not-started', start(failing.replace('baseCommand', 'basCommand')), /tools\/main\.cwl:4:1: /);
    await failsWith('run/not-started', start('class: ['), /tools\/main\.cwl:1:/);
    await failsWith('run/not-started', start(workflow), /gate/);
    assert.deepEqual(readdirSync(join(helper.home, 'runs')), before);
  });

  test('that was begun on the command line can be resumed, too', async () => {
    const gate = gateOf('gate8');
    writeFileSync(join(helper.folder, 'by-hand.cwl'), workflow);
    const ended = helper.run(['run', '--no-container', '--outdir', 'by-hand', 'by-hand.cwl', '--gate', gate]);
    const find = async () =>
      (await served.connection.sendRequest(protocol.listRuns)).find(each => each.label === 'by-hand.cwl');
    for (let wait = 0; wait < 100 && !(await find()); wait++) await sleep(50);
    const run = await find();
    assert.ok(run);
    const isSecond = (detail: RunDetail) =>
      detail.taskList.some(task => task.id === 'second' && task.state === 'running');
    await waitFor(run.id, isSecond);
    for (const pid of findProcesses('by-hand.cwl')) process.kill(pid, 'SIGKILL');
    await ended;
    assert.equal((await find())?.state, 'interrupted');
    openGate(gate);
    // From another folder than the one where it was begun.
    const resumed = await helper.run(['runs', 'resume', run.id], { cwd: '/' });
    assert.equal(resumed.code, 0, resumed.stderr);
    const detail = await waitFor(run.id, inState('success'));
    assert.deepEqual(
      detail.taskList.map(task => [task.id, task.state]),
      [
        ['first', 'reused'],
        ['second', 'success'],
      ],
    );
    assert.match(readFileSync(join(helper.folder, 'by-hand', 'text'), 'utf8'), /^\d+\.\d+\n$/);
  });

  test('is shown on the command line', async () => {
    const listed = await helper.run(['runs', 'list']);
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /^RUN +STATE/);
    assert.match(listed.stdout, /cancelled .*the test\n/);
    const id =
      (JSON.parse((await helper.run(['runs', 'list', '--json'])).stdout) as { id: string; state: string }[]).find(
        run => run.state === 'cancelled',
      )?.id ?? '';
    assert.match((await helper.run(['runs', 'show', id])).stdout, /second +cancelled/);
    const removed = await helper.run(['runs', 'remove', id]);
    assert.deepEqual([removed.code, removed.stderr], [0, '']);
    const unknown = await helper.run(['runs', 'show', id]);
    assert.deepEqual([unknown.code, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, /^there is no run /);
    assert.equal((await helper.run(['runs', 'wait'])).code, 2);
  });
});

async function waitForChange(id: string, state: RunState): Promise<void> {
  for (let wait = 0; wait < 100; wait++) {
    if (changes.some(detail => detail.id === id && detail.state === state)) return;
    await sleep(50);
  }
  assert.fail(`no notification that ${id} is ${state}`);
}
