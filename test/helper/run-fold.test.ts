import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatDetail } from '#helper/command-runs.ts';
import { parseJournalLines } from '#helper/journal-lines.ts';
import { addEvent, createFold, markInterrupted, toDetail, toSummary } from '#helper/run-fold.ts';
import type { RunEvent, TaskState } from '#runner/events.ts';

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`;
const start = (second: number, resumed = false): RunEvent => ({
  type: 'run-started',
  time: at(second),
  label: 'align',
  outdir: '/out',
  pid: 7,
  hostname: 'login1',
  bootId: 'b',
  steps: [{ id: 'index' }, { id: 'align', label: 'Align' }],
  resumed,
});
const task = (second: number, name: string, state: TaskState) =>
  ({ type: 'task', time: at(second), task: name, step: name.replace(/\[.*/, ''), state }) as RunEvent;
const end = (second: number, state: 'success' | 'failure' | 'cancelled', message?: string): RunEvent => ({
  type: 'run-ended',
  time: at(second),
  state,
  message,
});

const rules = { writes: 'open', inputs: 'checked', rootfs: 'checked' } as const;

function fold(...events: RunEvent[]) {
  const state = createFold('label', '/default', at(0));
  for (const event of events) addEvent(state, event);
  return state;
}

describe('the fold of a journal', () => {
  test('before the first event the run is starting', () => {
    assert.deepEqual(toSummary('id', '/runs/id', fold()), {
      id: 'id',
      label: 'label',
      state: 'starting',
      started: at(0),
      ended: undefined,
      folder: '/runs/id',
      outdir: '/default',
      message: undefined,
      hostname: undefined,
      engine: undefined,
      tasks: { total: 0, done: 0, failed: 0, running: 0 },
    });
  });

  test('a task keeps what earlier events told of it', () => {
    const state = fold(
      start(1),
      { ...task(2, 'index', 'preparing'), image: 'bowtie2:2', folder: '/t/index' } as RunEvent,
      {
        ...task(3, 'index', 'running'),
        commandLine: 'bowtie2-build a b',
        engine: 'proot',
        rules,
        gpus: ['GPU-1'],
      } as RunEvent,
      { ...task(5, 'index', 'failure'), exitCode: 3, message: 'exit code 3' } as RunEvent,
    );
    assert.deepEqual(toDetail('id', '/f', state).taskList, [
      {
        id: 'index',
        step: 'index',
        state: 'failure',
        started: at(2),
        ended: at(5),
        exitCode: 3,
        image: 'bowtie2:2',
        commandLine: 'bowtie2-build a b',
        engine: 'proot',
        rules,
        gpus: ['GPU-1'],
        message: 'exit code 3',
        folder: '/t/index',
      },
    ]);
  });

  test('who sees to the rules is told once for all tasks of a kind', () => {
    const running = (name: string, more: object) => ({ ...task(3, name, 'running'), engine: 'proot', ...more });
    const state = fold(
      start(1),
      running('align[0]', { rules: { ...rules, network: 'kernel' } }) as RunEvent,
      running('align[1]', { rules: { ...rules, network: 'kernel' } }) as RunEvent,
      running('index', { rules }) as RunEvent,
    );
    const lines = formatDetail(toDetail('id', '/f', state))
      .split('\n')
      .map(line => line.trim().split(/ +/));
    assert.deepEqual(lines.slice(lines.findIndex(([first]) => first === 'ENGINE')), [
      ['ENGINE', 'NETWORK', 'WRITES', 'INPUTS', 'IMAGE', 'TASKS'],
      ['proot', 'kernel', 'open', 'checked', 'checked', '2'],
      ['proot', 'granted', 'open', 'checked', 'checked', '1'],
      [''],
    ]);
  });

  test('the node and the engine are those of the last process of the run', () => {
    const why = 'PRoot works; user namespaces are switched off';
    const engine: RunEvent = { type: 'engine', time: at(2), hostname: 'login1', engine: 'proot', why };
    const state = fold(start(1), engine);
    const text = formatDetail(toDetail('id', '/f', state));
    assert.match(text, /^node +login1$/m);
    assert.match(text, /^engine +proot: PRoot works; user namespaces are switched off$/m);
    addEvent(state, { ...start(5, true), hostname: 'node7' } as RunEvent);
    const { hostname, engine: now } = toSummary('id', '/f', state);
    assert.deepEqual([hostname, now], ['node7', undefined]);
  });

  test('counts', () => {
    const state = fold(
      start(1),
      task(1, 'index', 'success'),
      task(1, 'align[0]', 'running'),
      task(1, 'align[1]', 'preparing'),
      task(1, 'align[2]', 'waiting'),
      task(1, 'align[3]', 'failure'),
      task(1, 'align[4]', 'skipped'),
      task(1, 'align[5]', 'reused'),
    );
    assert.deepEqual(toSummary('i', '/f', state).tasks, { total: 7, done: 3, failed: 1, running: 2 });
  });

  test('what still ran when the run ended is cancelled', () => {
    const { taskList, state, message } = toDetail(
      'i',
      '/f',
      fold(start(1), task(2, 'a', 'running'), task(2, 'b', 'waiting'), end(9, 'failure', 'c failed')),
    );
    assert.deepEqual([state, message], ['failure', 'c failed']);
    assert.deepEqual(
      taskList.map(each => [each.state, each.ended]),
      [
        ['cancelled', at(9)],
        ['cancelled', undefined],
      ],
    );
  });

  test('a resumed run forgets how it ended and keeps what was finished', () => {
    const state = fold(
      start(1),
      task(2, 'a', 'success'),
      task(2, 'b', 'failure'),
      end(3, 'failure', 'b failed'),
      start(10, true),
    );
    const detail = toDetail('i', '/f', state);
    assert.deepEqual(
      [detail.state, detail.started, detail.ended, detail.message],
      ['running', at(1), undefined, undefined],
    );
    assert.deepEqual(
      detail.taskList.map(each => each.state),
      ['success', 'waiting'],
    );
  });

  test('an interrupted run has no running task and can be resumed', () => {
    const state = fold(start(1), task(2, 'a', 'running'));
    markInterrupted(state);
    assert.equal(toSummary('i', '/f', state).tasks.running, 0);
    assert.equal(state.state, 'interrupted');
    addEvent(state, start(40, true));
    assert.equal(state.state, 'running');
    assert.equal(state.ended, undefined);
  });

  test('outputs come with the end', () => {
    const state = fold(start(1), { ...end(2, 'success'), outputs: { n: 1 } } as RunEvent);
    assert.deepEqual(toDetail('i', '/f', state).outputs, { n: 1 });
  });
});

describe('parseJournalLines', () => {
  test('finds the event that was appended to a torn one', () => {
    const torn = '{"type":"task","time":"2026-01-01T00:00:02.000Z","task":"a","outp';
    const events = parseJournalLines([JSON.stringify(start(1)), torn + JSON.stringify(start(5, true))]);
    assert.deepEqual(
      events.map(each => [each.type, each.time]),
      [
        ['run-started', at(1)],
        ['run-started', at(5)],
      ],
    );
  });

  test('leaves out what is no event', () => {
    assert.deepEqual(
      parseJournalLines(['', 'x', 'null', '{}', '{"type":"task","time":1}', '{"type":"task"', '\0\0\0']),
      [],
    );
  });
});
