// What the runner decides without doing it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import type { Process, Value } from '#cwl/model.ts';
import { noRequirements } from '#cwl/requirements.ts';
import { formatToolHelp, parseInputOptions } from '#helper/input-options.ts';
import { parseRunArguments } from '#helper/run-options.ts';
import type { RunEvent } from '#runner/events.ts';
import { Gate } from '#runner/gate.ts';
import { findFinished } from '#runner/journal.ts';
import { toTaskKey } from '#runner/key.ts';
import { planRelocation } from '#runner/relocate-plan.ts';
import { toFolderName } from '#runner/task-folder.ts';
import { chooseGrant, type Grant, isFree } from '#scheduler/this-host.ts';

const wish = (cores: number, ram = 100) => ({ cores: { min: cores, max: cores }, ram: { min: ram, max: ram } });
const capacity = { cores: 4, ram: 1000, tasks: 3 };

test('a grant is what a task can use of this host, or why it can not run', () => {
  assert.deepEqual(chooseGrant({ cores: { min: 1, max: 8 }, ram: { min: 10, max: 20 } }, capacity), {
    cores: 4,
    ram: 20,
  });
  assert.match(chooseGrant(wish(5), capacity) as string, /needs 5 cores, and 4 may be used/);
  assert.match(chooseGrant(wish(1, 2000), capacity) as string, /2000 MiB/);
});

test('tasks fit while cores, memory and their number allow', () => {
  const one = { cores: 1, ram: 100 };
  assert.ok(isFree(one, [one, one], capacity));
  assert.ok(!isFree(one, [one, one, one], capacity), 'three tasks at most');
  assert.ok(!isFree({ cores: 3, ram: 1 }, [{ cores: 2, ram: 1 }], capacity));
  assert.ok(!isFree({ cores: 1, ram: 950 }, [one], capacity));
  const tenth = { cores: 0.1, ram: 1 };
  assert.ok(isFree(tenth, Array(9).fill(tenth), { cores: 1, ram: 100, tasks: 100 }));
});

test('a device belongs to one task at a time', async () => {
  const gate = new Gate({ cores: 9, ram: 1000, tasks: 10 }, new AbortController().signal);
  const ask = (count: number, among: string[]): Grant => ({ cores: 1, ram: 1, devices: { count, among } });
  const [first, second, both, other] = [ask(1, ['a', 'b']), ask(1, ['a', 'b']), ask(2, ['a', 'b']), ask(1, ['b', 'c'])];
  const leaveFirst = await gate.enter(first);
  const leaveSecond = await gate.enter(second);
  assert.deepEqual([first.taken, second.taken], [['a'], ['b']]);
  let isIn = false;
  const waiting = gate.enter(both).then(leave => {
    isIn = true;
    return leave;
  });
  await gate.enter(other);
  assert.deepEqual(other.taken, ['c']);
  leaveFirst();
  await new Promise(setImmediate);
  assert.equal(isIn, false, 'one of its two is taken');
  leaveSecond();
  await waiting;
  assert.deepEqual(both.taken, ['a', 'b']);
});

test('the gate lets tasks in as others leave, smaller ones ahead, and none after an abort', async () => {
  const stop = new AbortController();
  const gate = new Gate({ cores: 2, ram: 1000, tasks: 10 }, stop.signal);
  const order: string[] = [];
  const leave = await gate.enter({ cores: 1, ram: 1 });
  const large = gate.enter({ cores: 2, ram: 1 }).catch(() => order.push('large refused'));
  const leaveSmall = await gate.enter({ cores: 1, ram: 1 });
  const small = gate.enter({ cores: 1, ram: 1 }).then(() => order.push('small'));
  leave();
  await small;
  stop.abort();
  await large;
  leaveSmall();
  assert.deepEqual(order, ['small', 'large refused']);
  await assert.rejects(gate.enter({ cores: 1, ram: 1 }));
  assert.deepEqual(gate.grant(wish(3), { isHint: true }), { cores: 2, ram: 100 });
  assert.throws(
    () => gate.grant(wish(3), { isHint: false }),
    error => isFailure(error, 'runner/resources'),
  );
});

const file = (location: string, more: object = {}) => ({
  class: 'File',
  location: `file://${location}`,
  basename: location.split('/').at(-1),
  ...more,
});

test('outputs of one name never meet, and secondary files go with their primary', () => {
  const indexed = (folder: string) =>
    file(`${folder}/a.bam`, { secondaryFiles: [file(`${folder}/a.bam.bai`), file(`${folder}/a.dict`)] });
  const { outputs, actions } = planRelocation(
    { list: [indexed('/run/1'), indexed('/run/2')] as Value },
    { run: '/run', outdir: '/out' },
  );
  const list = outputs.list as { basename: string; nameroot: string; secondaryFiles: { location: string }[] }[];
  assert.deepEqual(
    list.map(each => each.basename),
    ['a.bam', 'a_2.bam'],
  );
  assert.equal(list[1]?.nameroot, 'a_2');
  assert.deepEqual(
    list[1]?.secondaryFiles.map(each => each.location),
    ['file:///out/a_2.bam.bai', 'file:///out/a_2.dict'],
  );
  const targets = actions.map(action => action.target);
  assert.equal(new Set(targets).size, 6);
  assert.ok(actions.every(action => action.kind === 'move'));
});

test('one file for two outputs is moved once; inputs are copied; literals are written', () => {
  const one = file('/run/1/x');
  const { outputs, actions } = planRelocation(
    {
      a: one,
      b: one,
      renamed: { ...one, basename: 'y' },
      input: file('/data/in.txt'),
      literal: { class: 'File', basename: 'l', contents: 'text' },
      folder: { class: 'Directory', basename: 'd', listing: [file('/run/2/z')] },
      here: file('/out/there'),
    } as Record<string, Value>,
    { run: '/run', outdir: '/out' },
  );
  assert.deepEqual(actions, [
    { kind: 'write', target: '/out/l', text: 'text' },
    { kind: 'folder', target: '/out/d' },
    { kind: 'copy', source: '/run/1/x', target: '/out/y' },
    { kind: 'copy', source: '/data/in.txt', target: '/out/in.txt' },
    { kind: 'move', source: '/run/1/x', target: '/out/x' },
    { kind: 'move', source: '/run/2/z', target: '/out/d/z' },
  ]);
  assert.deepEqual(outputs.a, outputs.b);
  assert.equal((outputs.literal as { location: string }).location, 'file:///out/l');
});

test('what a moved directory holds is copied out of it first', () => {
  const { actions } = planRelocation(
    { d: { class: 'Directory', location: 'file:///run/1/d', basename: 'd' }, f: file('/run/1/d/f') } as Record<
      string,
      Value
    >,
    { run: '/run', outdir: '/out' },
  );
  assert.deepEqual(
    actions.map(action => action.kind),
    ['copy', 'move'],
  );
});

test('task folders have different names for different tasks', () => {
  const names = [
    'sub/a',
    'sub.a',
    'sub a',
    'sub%20a',
    'a[1]',
    'a[2]',
    `x${'y'.repeat(300)}`,
    `x${'y'.repeat(301)}`,
    'é',
  ].map(toFolderName);
  assert.equal(new Set(names).size, names.length);
  assert.ok(
    names.every(name => /^[\w.%[\]~-]{1,255}$/.test(name)),
    names.join(),
  );
});

test('the last word on a task counts when a run goes on', () => {
  const event = (task: string, state: 'success' | 'failure' | 'running', more: object = {}): RunEvent => ({
    type: 'task',
    time: '',
    task,
    step: task,
    state,
    ...more,
  });
  const done = { outputs: {}, key: 'k' };
  const finished = findFinished([
    event('a', 'running'),
    event('a', 'success', done),
    event('b', 'success', done),
    event('b', 'failure'),
    event('c', 'running'),
  ]);
  assert.deepEqual([...finished.keys()], ['a']);
});

test('the key of a task knows its process and inputs, not its place in the document', () => {
  const make = (line: number, stdout: string) =>
    ({
      class: 'CommandLineTool',
      stdout,
      place: { uri: 'file:///x', range: { start: { line, character: 0 } } },
    }) as unknown as Process;
  const key = (process: Process, inputs: Record<string, Value>) => toTaskKey(process, noRequirements, inputs);
  assert.equal(key(make(1, 'a'), { x: 1 }), key(make(2, 'a'), { x: 1 }));
  assert.notEqual(key(make(1, 'a'), { x: 1 }), key(make(1, 'b'), { x: 1 }));
  assert.notEqual(key(make(1, 'a'), { x: 1 }), key(make(1, 'a'), { x: 2 }));
});

test('the command line of run', () => {
  const options = parseRunArguments([
    '--quiet',
    '--outdir=/o',
    '--mirror',
    'docker.io=http://h:1',
    '--parallel',
    '3',
    'tool.cwl',
    'in.yml',
    '--x',
    '1',
  ]);
  assert.equal(options.outdir, '/o');
  assert.deepEqual(options.mirrors, { 'docker.io': 'http://h:1' });
  assert.equal(options.parallel, 3);
  assert.deepEqual([options.tool, options.rest], ['tool.cwl', ['in.yml', '--x', '1']]);
  for (const wrong of [
    ['--nope'],
    ['--parallel', 'x', 't'],
    ['--on-error', 'panic', 't'],
    ['--mirror', 'x', 't'],
    ['--outdir'],
  ]) {
    assert.throws(
      () => parseRunArguments(wrong),
      error => isFailure(error, 'helper/usage'),
      wrong.join(' '),
    );
  }
});

test('inputs as options take the types of the inputs', () => {
  const type = (name: string) => ({ kind: 'primitive', name });
  const field = (name: string, of: object) => ({ name, type: of });
  const input = (id: string, of: object, more: object = {}) => ({ id, type: of, ...more });
  const process = {
    inputs: [
      input('n', type('int'), { doc: 'How many.' }),
      input('on', type('boolean')),
      input('list', { kind: 'array', items: type('string') }),
      input('file', { kind: 'union', members: [type('null'), type('File')] }),
      input('rec', { kind: 'record', fields: [field('a', type('double'))] }),
    ],
  } as unknown as Process;
  const { file, values } = parseInputOptions(
    ['in.yml', '--n=3', '--no-on', '--list', 'a', '--list', 'b', '--file', '/d/x y', '--rec.a', '1.5'],
    process,
  );
  assert.equal(file, 'in.yml');
  assert.deepEqual(values, {
    n: 3,
    on: false,
    list: ['a', 'b'],
    file: { class: 'File', location: 'file:///d/x%20y' },
    rec: { a: 1.5 },
  });
  assert.throws(() => parseInputOptions(['--m', '1'], process), /no input m/);
  assert.throws(() => parseInputOptions(['--n', 'x'], process), /takes int, not x/);
  assert.match(formatToolHelp('t.cwl', process), /--n +int, required: How many\./);
});
