import type { RunDetail, RunState, RunSummary, TaskState, TaskSummary } from '#protocol/runs.ts';
import type { RunEvent } from '#runner/events.ts';

/** What the journal has told so far of one run; `addEvent` is the only thing that changes it. */
export interface RunFold {
  label: string;
  outdir: string;
  state: RunState;
  started: string;
  ended?: string;
  message?: string;
  /** The node where the run is, or was last. */
  hostname?: string;
  /** What tools with an image run in there, and why. */
  engine?: { name: string; why?: string };
  steps: { id: string; label?: string }[];
  tasks: Map<string, TaskSummary>;
  outputs?: Record<string, unknown>;
}

/** A run of which nothing has happened yet. `started`: when its folder was made, ISO 8601. */
export function createFold(label: string, outdir: string, started: string): RunFold {
  return { label, outdir, state: 'starting', started, steps: [], tasks: new Map() };
}

/** Adds the next event of the journal. */
export function addEvent(fold: RunFold, event: RunEvent): void {
  if (event.type === 'run-started') addStart(fold, event);
  else if (event.type === 'task') addTask(fold, event);
  else if (event.type === 'engine') fold.engine = { name: event.engine, why: event.why };
  else if (event.type === 'run-ended') addEnd(fold, event);
}

/** Its process is gone and has written no end: nothing of it goes on. */
export function markInterrupted(fold: RunFold): void {
  fold.state = 'interrupted';
  fold.message =
    'The process of the run is gone: the machine may have been restarted, or it was killed. Resume goes on after the last finished step.';
  stopTasks(fold, 'interrupted');
}

export function toSummary(id: string, folder: string, fold: RunFold): RunSummary {
  return {
    id,
    label: fold.label,
    state: fold.state,
    started: fold.started,
    ended: fold.ended,
    folder,
    outdir: fold.outdir,
    message: fold.message,
    hostname: fold.hostname,
    engine: fold.engine,
    tasks: countTasks(fold),
  };
}

export function toDetail(id: string, folder: string, fold: RunFold): RunDetail {
  return {
    ...toSummary(id, folder, fold),
    steps: fold.steps,
    taskList: [...fold.tasks.values()],
    outputs: fold.outputs,
  };
}

/** True where the task will not change any more, unless the run is resumed. */
export function isTaskEnded(state: TaskState): boolean {
  return state !== 'waiting' && state !== 'preparing' && state !== 'running';
}

function addStart(fold: RunFold, event: Extract<RunEvent, { type: 'run-started' }>): void {
  if (!event.resumed) fold.started = event.time;
  fold.label = event.label;
  fold.outdir = event.outdir;
  fold.hostname = event.hostname;
  fold.engine = undefined;
  fold.steps = event.steps;
  fold.state = 'running';
  fold.ended = undefined;
  fold.message = undefined;
  fold.outputs = undefined;
  // What had not ended well is done again, and will be told again.
  for (const task of fold.tasks.values()) {
    if (task.state === 'success' || task.state === 'skipped' || task.state === 'reused') continue;
    fold.tasks.set(task.id, { id: task.id, step: task.step, state: 'waiting' });
  }
}

function addTask(fold: RunFold, event: Extract<RunEvent, { type: 'task' }>): void {
  const before = fold.tasks.get(event.task);
  const { state, time } = event;
  fold.tasks.set(event.task, {
    id: event.task,
    step: event.step,
    state,
    started: before?.started ?? (state === 'waiting' ? undefined : time),
    ended: isTaskEnded(state) ? time : undefined,
    exitCode: event.exitCode,
    image: event.image ?? before?.image,
    commandLine: event.commandLine ?? before?.commandLine,
    engine: event.engine ?? before?.engine,
    rules: event.rules ?? before?.rules,
    gpus: event.gpus ?? before?.gpus,
    message: event.message,
    folder: event.folder ?? before?.folder,
  });
}

function addEnd(fold: RunFold, event: Extract<RunEvent, { type: 'run-ended' }>): void {
  fold.state = event.state;
  fold.ended = event.time;
  fold.message = event.message;
  fold.outputs = event.outputs;
  stopTasks(fold, event.state === 'success' ? undefined : 'the run ended before');
}

function stopTasks(fold: RunFold, message: string | undefined): void {
  for (const [id, task] of fold.tasks) {
    if (isTaskEnded(task.state)) continue;
    fold.tasks.set(id, {
      ...task,
      state: 'cancelled',
      ended: task.started && fold.ended,
      message: task.message ?? message,
    });
  }
}

function countTasks(fold: RunFold): RunSummary['tasks'] {
  const counts = { total: fold.tasks.size, done: 0, failed: 0, running: 0 };
  for (const { state } of fold.tasks.values()) {
    if (state === 'failure') counts.failed++;
    else if (state === 'success' || state === 'skipped' || state === 'reused') counts.done++;
    else if (state === 'preparing' || state === 'running') counts.running++;
  }
  return counts;
}
