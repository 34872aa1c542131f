/** What the view *Runs* shows of a run: run → step → task, then outputs. Values only; the view makes items of them. */
import type { LockFinding } from '#protocol/locks.ts';
import type { RunDetail, RunState, RunSummary, TaskState, TaskSummary } from '#protocol/runs.ts';
import { formatElapsed, formatProgress } from './format.ts';
import { listOutputs, type OutputEntry } from './output-tree.ts';

/** A line of the tree. */
export type RunNode =
  | { kind: 'run'; run: RunSummary | RunDetail }
  | { kind: 'step'; id: string; label?: string; tasks: TaskSummary[]; steps: RunNode[] }
  | { kind: 'task'; task: TaskSummary; isAlone: boolean }
  | { kind: 'lock'; finding: LockFinding }
  | { kind: 'note'; text: string; isFailure: boolean }
  | { kind: 'outputs'; outputs: Record<string, unknown> }
  | { kind: 'output'; entry: OutputEntry };

/** How a line looks: a codicon, the id of a theme colour, and words. */
export interface Look {
  label: string;
  icon: string;
  color?: string;
  description: string;
  /** For `when` clauses of menus. */
  context: string;
}

export function isActive(run: RunSummary): boolean {
  return run.state === 'starting' || run.state === 'running';
}

/** Lines below a run. */
export function listRunChildren(run: RunDetail): RunNode[] {
  const nodes: RunNode[] = [];
  if (run.message)
    nodes.push({ kind: 'note', text: shortenPaths(run, run.message), isFailure: run.state === 'failure' });
  for (const finding of run.locks ?? []) if (finding.severity === 'warning') nodes.push({ kind: 'lock', finding });
  nodes.push(...listSteps(run));
  if (run.outputs && Object.keys(run.outputs).length > 0) nodes.push({ kind: 'outputs', outputs: run.outputs });
  return nodes;
}

/** Lines below any other line. */
export function listNodeChildren(node: RunNode): RunNode[] {
  if (node.kind === 'step') {
    return [...node.steps, ...node.tasks.map((task): RunNode => ({ kind: 'task', task, isAlone: false }))];
  }
  const entries =
    node.kind === 'outputs' ? listOutputs(node.outputs) : node.kind === 'output' ? (node.entry.children ?? []) : [];
  return entries.map(entry => ({ kind: 'output', entry }));
}

/** The user's documents as the user knows them, not as they lie on the cluster. */
export function shortenPaths(run: RunSummary, text: string): string {
  return text.replaceAll(`file://${run.folder}/source/`, '').replaceAll(`${run.folder}/source/`, '');
}

export function describeRun(run: RunSummary | RunDetail, now: number, isStale: boolean): Look {
  const { done, total } = run.tasks;
  const elapsed = formatElapsed(run.started, run.ended, now);
  const progress = 'progress' in run ? formatProgress(run.progress) : undefined;
  const parts =
    isStale && isActive(run)
      ? [`${runWords[run.state]} when last seen`]
      : isActive(run)
        ? [progress ?? (total > 1 ? `${done} of ${total}` : runWords[run.state]), elapsed]
        : [runWords[run.state], elapsed];
  const look = runLooks[run.state];
  return {
    label: run.label,
    ...(isStale && isActive(run) ? { icon: 'question' } : look),
    description: parts.filter(Boolean).join(' · '),
    context: `run.${isActive(run) ? 'active' : run.state === 'success' ? 'success' : 'stopped'}`,
  };
}

export function describeTask(task: TaskSummary, isAlone: boolean, now: number): Look {
  const elapsed = formatElapsed(task.started, task.ended, now);
  const exit = task.exitCode === undefined ? undefined : `exit code ${task.exitCode}`;
  const word = task.state === 'success' || task.state === 'failure' ? undefined : taskWords[task.state];
  const index = /\[[\d,\s]+\]$/.exec(task.id)?.[0];
  return {
    label: isAlone ? (task.id.split('/').pop() ?? task.id) : (index ?? task.id),
    ...taskLooks[task.state],
    description: [word, exit ?? (task.state === 'failure' ? 'failed' : undefined), elapsed].filter(Boolean).join(' · '),
    context: `task.${task.folder === undefined ? 'waiting' : 'begun'}`,
  };
}

/** A step of many tasks looks as they do taken together. */
export function describeStep(node: Extract<RunNode, { kind: 'step' }>): Look {
  const tasks = listTasks(node);
  const count = (...states: TaskState[]) => tasks.filter(task => states.includes(task.state)).length;
  const failed = count('failure');
  const state: TaskState =
    failed > 0
      ? 'failure'
      : count('running') > 0
        ? 'running'
        : count('preparing') > 0
          ? 'preparing'
          : tasks.length === 0 || count('waiting') > 0
            ? 'waiting'
            : count('cancelled') > 0
              ? 'cancelled'
              : count('skipped') === tasks.length
                ? 'skipped'
                : 'success';
  const done = count('success', 'reused', 'skipped');
  const parts = [
    tasks.length === 0 ? taskWords.waiting : `${done} of ${tasks.length}`,
    failed > 0 ? `${failed} failed` : '',
  ];
  return {
    label: node.label ?? node.id.split('/').pop() ?? node.id,
    ...taskLooks[state],
    description: parts.filter(Boolean).join(' · '),
    context: 'step',
  };
}

function listTasks(node: RunNode): TaskSummary[] {
  if (node.kind === 'task') return [node.task];
  return node.kind === 'step' ? [...node.tasks, ...node.steps.flatMap(listTasks)] : [];
}

/** Steps of nested workflows (`sub/sort`) stand below the step that is a workflow. */
function listSteps(run: RunDetail): RunNode[] {
  const steps = new Map<string, Extract<RunNode, { kind: 'step' }>>();
  const roots: Extract<RunNode, { kind: 'step' }>[] = [];
  const open = (id: string, label?: string) => {
    const known = steps.get(id);
    if (known) return known;
    const node = { kind: 'step' as const, id, label, tasks: [], steps: [] };
    steps.set(id, node);
    const slash = id.lastIndexOf('/');
    if (slash < 0) roots.push(node);
    else open(id.slice(0, slash)).steps.push(node);
    return node;
  };
  for (const { id, label } of run.steps) open(id, label);
  for (const task of run.taskList) open(task.step).tasks.push(task);
  return roots.map(flatten);
}

/** A step that is not scattered is its only task. */
function flatten(node: Extract<RunNode, { kind: 'step' }>): RunNode {
  const [task] = node.tasks;
  if (task && node.tasks.length === 1 && node.steps.length === 0 && task.id === node.id) {
    return { kind: 'task', task, isAlone: true };
  }
  return { ...node, steps: node.steps.map(step => flatten(step as Extract<RunNode, { kind: 'step' }>)) };
}

const runWords: Record<RunState, string> = {
  starting: 'starting',
  running: 'running',
  success: 'done',
  failure: 'failed',
  cancelled: 'cancelled',
  interrupted: 'interrupted',
};
const runLooks: Record<RunState, { icon: string; color?: string }> = {
  starting: { icon: 'loading~spin' },
  running: { icon: 'loading~spin', color: 'charts.blue' },
  success: { icon: 'pass-filled', color: 'testing.iconPassed' },
  failure: { icon: 'error', color: 'testing.iconFailed' },
  cancelled: { icon: 'circle-slash', color: 'testing.iconSkipped' },
  interrupted: { icon: 'debug-pause', color: 'list.warningForeground' },
};
const taskWords: Record<TaskState, string> = {
  waiting: 'waiting',
  preparing: 'preparing',
  running: 'running',
  success: 'done',
  failure: 'failed',
  skipped: 'skipped',
  cancelled: 'cancelled',
  reused: 'reused',
};
const taskLooks: Record<TaskState, { icon: string; color?: string }> = {
  waiting: { icon: 'circle-large-outline', color: 'disabledForeground' },
  preparing: { icon: 'package' },
  running: { icon: 'loading~spin', color: 'charts.blue' },
  success: { icon: 'pass', color: 'testing.iconPassed' },
  failure: { icon: 'error', color: 'testing.iconFailed' },
  skipped: { icon: 'debug-step-over', color: 'testing.iconSkipped' },
  cancelled: { icon: 'circle-slash', color: 'testing.iconSkipped' },
  reused: { icon: 'history', color: 'testing.iconPassed' },
};
