import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  describeRun,
  describeStep,
  describeTask,
  isActive,
  listNodeChildren,
  listRunChildren,
  type RunNode,
  shortenPaths,
} from '#extension/run-tree.ts';
import type { RunDetail, RunState, TaskState, TaskSummary } from '#protocol/runs.ts';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const now = Date.parse(at(100));

function makeRun(state: RunState, extra: Partial<RunDetail> = {}): RunDetail {
  return {
    id: 'r',
    label: 'flow.cwl',
    state,
    started: at(0),
    folder: '/h/runs/r',
    outdir: '/h/runs/r/out',
    tasks: { total: 4, done: 1, failed: 0, running: 1 },
    steps: [],
    taskList: [],
    ...extra,
  };
}

function makeTask(id: string, state: TaskState, extra: Partial<TaskSummary> = {}): TaskSummary {
  return { id, step: id.replace(/\[.*/, ''), state, ...extra };
}

/** The tree as indented labels. */
function print(nodes: RunNode[], indent = ''): string[] {
  return nodes.flatMap(node => {
    const look =
      node.kind === 'step'
        ? describeStep(node).label
        : node.kind === 'task'
          ? describeTask(node.task, node.isAlone, now).label
          : node.kind === 'output'
            ? node.entry.name
            : node.kind;
    return [`${indent}${look}`, ...print(listNodeChildren(node), `${indent}  `)];
  });
}

describe('the tree of a run', () => {
  test('a step with one task is that task, a scattered one holds its tasks, a nested one its steps', () => {
    const run = makeRun('running', {
      steps: [{ id: 'index', label: 'Build the index' }, { id: 'align' }, { id: 'sub' }, { id: 'late', label: 'Late' }],
      taskList: [
        makeTask('index', 'success'),
        makeTask('align[0]', 'running'),
        makeTask('align[1]', 'waiting'),
        makeTask('sub/sort', 'waiting'),
      ],
    });
    assert.deepEqual(print(listRunChildren(run)), ['index', 'align', '  [0]', '  [1]', 'sub', '  sort', 'Late']);
  });

  test('a scatter over one element stays a scatter', () => {
    const run = makeRun('running', { steps: [{ id: 'align' }], taskList: [makeTask('align[0]', 'running')] });
    assert.deepEqual(print(listRunChildren(run)), ['align', '  [0]']);
  });

  test('what went wrong, lock warnings and outputs stand below it too', () => {
    const finding = {
      path: '/s',
      mountPoint: '/s',
      fileSystem: 'lustre',
      source: 's',
      flock: 'none',
      fcntl: 'none',
      severity: 'warning',
      message: 'No.',
    } as const;
    const run = makeRun('failure', {
      message: 'it broke',
      locks: [finding, { ...finding, severity: 'ok' }],
      outputs: { table: { class: 'File', path: '/o/t.tsv' } },
    });
    assert.deepEqual(print(listRunChildren(run)), ['note', 'lock', 'outputs', '  table']);
    assert.deepEqual(print(listRunChildren(makeRun('success', { outputs: {} }))), []);
  });

  test('documents are named as on the machine of the user', () => {
    const text = '/h/runs/r/source/a.cwl:3:1: no; see file:///h/runs/r/source/b.cwl';
    assert.equal(shortenPaths(makeRun('failure'), text), 'a.cwl:3:1: no; see b.cwl');
  });
});

describe('how a run looks', () => {
  const look = (run: RunDetail, isStale = false) => {
    const { icon, description, context } = describeRun(run, now, isStale);
    return [icon, description, context];
  };

  test('at work: how far it is, and since when', () => {
    assert.deepEqual(look(makeRun('running')), ['loading~spin', '1 of 4 · 1 min 40 s', 'run.active']);
    const progress = { what: 'pulling busybox', done: 1, total: 4, unit: 'bytes' } as const;
    assert.equal(look(makeRun('running', { progress }))[1], 'pulling busybox 25 % · 1 min 40 s');
  });

  test('over: how it ended, and how long it took', () => {
    const ended = at(7);
    assert.deepEqual(look(makeRun('success', { ended })), ['pass-filled', 'done · 7.0 s', 'run.success']);
    assert.deepEqual(look(makeRun('failure', { ended })), ['error', 'failed · 7.0 s', 'run.stopped']);
    assert.deepEqual(look(makeRun('cancelled', { ended })), ['circle-slash', 'cancelled · 7.0 s', 'run.stopped']);
    assert.deepEqual(look(makeRun('interrupted', { ended })), ['debug-pause', 'interrupted · 7.0 s', 'run.stopped']);
  });

  test('without a connection nothing is claimed', () => {
    assert.deepEqual(look(makeRun('running'), true), ['question', 'running when last seen', 'run.active']);
  });

  test('only what has not ended is active', () => {
    const states: RunState[] = ['starting', 'running', 'success', 'failure', 'cancelled', 'interrupted'];
    assert.deepEqual(
      states.filter(state => isActive(makeRun(state))),
      ['starting', 'running'],
    );
  });
});

describe('how a task looks', () => {
  const look = (task: TaskSummary) => {
    const { icon, description, context } = describeTask(task, true, now);
    return [icon, description, context];
  };

  test('state, exit code and time', () => {
    const times = { started: at(1), ended: at(3), folder: '/t' };
    assert.deepEqual(look(makeTask('a', 'waiting')), ['circle-large-outline', 'waiting', 'task.waiting']);
    assert.deepEqual(look(makeTask('a', 'running', { started: at(95), folder: '/t' })), [
      'loading~spin',
      'running · 5.0 s',
      'task.begun',
    ]);
    assert.deepEqual(look(makeTask('a', 'success', { ...times, exitCode: 0 })), [
      'pass',
      'exit code 0 · 2.0 s',
      'task.begun',
    ]);
    assert.deepEqual(look(makeTask('a', 'failure', { ...times, exitCode: 3 })), [
      'error',
      'exit code 3 · 2.0 s',
      'task.begun',
    ]);
    assert.deepEqual(look(makeTask('a', 'failure')), ['error', 'failed', 'task.waiting']);
  });

  const stepOf = (...states: TaskState[]) => {
    const tasks = states.map((state, index) => makeTask(`s[${index}]`, state));
    const { icon, description } = describeStep({ kind: 'step', id: 's', tasks, steps: [] });
    return `${icon}: ${description}`;
  };
  test('a step looks as the tasks in it taken together', () => {
    assert.equal(stepOf(), 'circle-large-outline: waiting');
    assert.equal(stepOf('success', 'waiting'), 'circle-large-outline: 1 of 2');
    assert.equal(stepOf('success', 'running', 'waiting'), 'loading~spin: 1 of 3');
    assert.equal(stepOf('preparing', 'waiting'), 'package: 0 of 2');
    assert.equal(stepOf('failure', 'running'), 'error: 0 of 2 · 1 failed');
    assert.equal(stepOf('success', 'cancelled'), 'circle-slash: 1 of 2');
    assert.equal(stepOf('skipped', 'skipped'), 'debug-step-over: 2 of 2');
    assert.equal(stepOf('success', 'reused'), 'pass: 2 of 2');
  });
});
