// Killed, cancelled and resumed: nothing that was finished is lost or done twice.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findTaskSandbox } from '#runner/task-sandboxes.ts';
import { makePlace, type Place, readEvents, until, wait } from './support-run.ts';

/** A chain of three steps that count how often they run; the second waits until the file `go` is there. */
function prepareRun(place: Place): string {
  const folder = join(place.home, 'runs', 'r1');
  mkdirSync(join(folder, 'source'), { recursive: true });
  const step = (name: string, wish: string) => `cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'echo $0 >> ${place.folder}/count; ${wish}; echo ${name} > out.txt; cat $1 >> out.txt', ${name}]
inputs: {before: {type: File?, inputBinding: {}}}
outputs: {o: {type: File, outputBinding: {glob: out.txt}}}
`;
  place.write({
    'home/runs/r1/source/one.cwl': step('one', 'true'),
    'home/runs/r1/source/two.cwl': step('two', `while [ ! -e ${place.folder}/go ]; do sleep 0.05; done`),
    'home/runs/r1/source/three.cwl': step('three', 'true'),
    'home/runs/r1/source/start.txt': 'start\n',
    'home/runs/r1/source/wf.cwl': `cwlVersion: v1.2
class: Workflow
inputs: {start: File}
outputs: {last: {type: File, outputSource: c/o}}
steps:
  a: {run: one.cwl, in: {before: start}, out: [o]}
  b: {run: two.cwl, in: {before: a/o}, out: [o]}
  c: {run: three.cwl, in: {before: b/o}, out: [o]}`,
  });
  const request = {
    sources: [],
    tool: 'wf.cwl',
    inputs: { start: { class: 'File', location: 'start.txt' } },
    label: 'a chain',
    outdir: place.outdir,
    options: { engine: 'host' },
  };
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
  return folder;
}

const count = (place: Place) => readFileSync(join(place.folder, 'count'), 'utf8').trim().split('\n');
const hasStarted = (place: Place, step: string) =>
  existsSync(join(place.folder, 'count')) && count(place).includes(step);

test('a killed run goes on after its last finished step', async () => {
  const place = makePlace();
  const folder = prepareRun(place);
  const first = place.start(['--run-folder', folder]);
  const ended = wait(first);
  await until(() => hasStarted(place, 'two'));
  first.kill('SIGKILL');
  assert.equal((await ended).signal, 'SIGKILL');
  assert.equal(existsSync(place.outdir), false, 'no half output');
  // A line that was being written when the process died.
  writeFileSync(join(folder, 'journal.jsonl'), '{"type":"task","ti', { flag: 'a' });
  place.write({ go: '' });
  const result = await wait(place.start(['--run-folder', folder, '--resume']));
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(count(place), ['one', 'two', 'two', 'three']);
  assert.equal(readFileSync(join(place.outdir, 'out.txt'), 'utf8'), 'three\ntwo\none\nstart\n');
  const events = readEvents(folder);
  const states = events.flatMap(event =>
    event.type === 'task' ? [`${event.task} ${event.state}`] : [`${event.type}`],
  );
  assert.ok(states.includes('a reused'));
  const end = events.at(-1);
  assert.ok(end?.type === 'run-ended' && end.state === 'success' && end.outputs?.last);
  assert.equal(events.filter(event => event.type === 'run-started').at(-1)?.resumed, true);
  // Once more: all is done, and the outputs are where they were.
  const again = await wait(place.start(['--run-folder', folder, '--resume']));
  assert.equal(again.code, 0, again.stderr);
  assert.equal(count(place).length, 4);
});

test('SIGTERM cancels: the tools end, and the journal says so', async () => {
  const place = makePlace();
  const folder = prepareRun(place);
  const child = place.start(['--run-folder', folder]);
  const ended = wait(child);
  await until(() => hasStarted(place, 'two'));
  child.kill('SIGTERM');
  assert.equal((await ended).code, 130);
  const end = readEvents(folder).at(-1);
  assert.ok(end?.type === 'run-ended' && end.state === 'cancelled');
  const mine = readdirSync('/proc').filter(pid => /^\d+$/.test(pid) && readCommand(pid).includes(place.folder));
  assert.deepEqual(mine, []);
});

test('a run says how to open the sandbox of a task again', async () => {
  const place = makePlace();
  const folder = prepareRun(place);
  place.write({ go: '' });
  const result = await wait(place.start(['--run-folder', folder]));
  assert.equal(result.code, 0, result.stderr);
  const task = findTaskSandbox(folder, 'b');
  assert.equal(findTaskSandbox(folder, 'nobody'), undefined);
  assert.ok(task);
  assert.equal(task.engine, 'host');
  assert.equal(task.sandbox.cwd, join(folder, 'tasks', 'b', 'work'));
  assert.equal(task.sandbox.env.HOME, task.sandbox.cwd);
  assert.match(task.commandLine, /^sh -c .* two /);
  assert.equal(task.sandbox.env.TMPDIR, task.tmpdir);
});

function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
