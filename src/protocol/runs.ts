import type { Rules } from '#base/rules.ts';
import type { LockFinding } from './locks.ts';

/** One execution of a workflow or tool, as it is told to a person. */

/** `interrupted`: its process is gone without an end having been written; it can be resumed. */
export type RunState = 'starting' | 'running' | 'success' | 'failure' | 'cancelled' | 'interrupted';
export type TaskState =
  | 'waiting'
  | 'preparing'
  | 'running'
  | 'success'
  | 'failure'
  | 'skipped'
  | 'cancelled'
  | 'reused';

export interface RunSummary {
  id: string;
  label: string;
  state: RunState;
  /** ISO 8601. */
  started: string;
  ended?: string;
  /** The run's own folder: documents, logs and the folders of its tasks. */
  folder: string;
  /** Folder of the outputs, absolute on the cluster. */
  outdir: string;
  /** What failed, for a person. */
  message?: string;
  /** The node where it is, or was last. */
  hostname?: string;
  /** What tools with an image run in there, and why. */
  engine?: { name: string; why?: string };
  tasks: { total: number; done: number; failed: number; running: number };
}

/** One execution of a step (one element of a scatter). */
export interface TaskSummary {
  /** Unique in the run: `align[2]`, `sub/sort`; a single tool is `main`. */
  id: string;
  /** Id of the step, `/` between nested workflows: `sub/sort`. */
  step: string;
  state: TaskState;
  started?: string;
  ended?: string;
  exitCode?: number;
  image?: string;
  /** As a person would type it inside the sandbox. */
  commandLine?: string;
  engine?: string;
  /** Who saw to it that the tool kept to the rules. */
  rules?: Rules;
  /** UUIDs of the GPUs that it has got. */
  gpus?: string[];
  message?: string;
  /** Its folder, absolute on the cluster: working directory and logs. */
  folder?: string;
}

export interface RunDetail extends RunSummary {
  steps: { id: string; label?: string }[];
  taskList: TaskSummary[];
  /** The CWL output object once the run ended well. */
  outputs?: Record<string, unknown>;
  /** What is being done that takes long, e.g. pulling an image. */
  progress?: { what: string; done: number; total?: number; unit: 'bytes' | 'steps' };
  /** File systems of the run's folders whose locks deserve a warning. */
  locks?: LockFinding[];
}
