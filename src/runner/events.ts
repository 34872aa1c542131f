/** What happens in a run, in the order in which it is appended to the journal: the run's only state. */
import type { Progress } from '#base/log.ts';
import type { Rules } from '#base/rules.ts';
import type { Value } from '#cwl/model.ts';

export type TaskState =
  | 'waiting'
  | 'preparing'
  | 'running'
  | 'success'
  | 'failure'
  | 'skipped'
  | 'cancelled'
  | 'reused';

export type RunEvent =
  | {
      type: 'run-started';
      time: string;
      label: string;
      outdir: string;
      /** Of the process that runs it; with `bootId` it tells a dead run from a running one. */
      pid: number;
      hostname: string;
      bootId: string;
      steps: { id: string; label?: string }[];
      /** True when an earlier process of this run has died or was cancelled. */
      resumed: boolean;
    }
  | {
      type: 'task';
      time: string;
      /** Unique in the run: `align[2]`, `sub/sort`; a single tool is `main`. */
      task: string;
      step: string;
      state: TaskState;
      /** Folder of the task, absolute: its working directory and its logs. */
      folder?: string;
      exitCode?: number;
      commandLine?: string;
      image?: string;
      engine?: string;
      /** With `engine`: the UUIDs of the GPUs that it has got. */
      gpus?: string[];
      /** With `engine`: who saw to it that the tool kept to the rules. */
      rules?: Rules;
      message?: string;
      /** With `success`, `skipped` and `reused`: what a resumed run takes instead of running the task again. */
      outputs?: Record<string, Value>;
      /** Digest of the process and its inputs, to check that a finished task is still the same one. */
      key?: string;
    }
  /** What tools with an image run in, on which node, and why. */
  | { type: 'engine'; time: string; hostname: string; engine: string; why?: string }
  /** Not written to the journal: it is about now. */
  | { type: 'progress'; time: string; progress: Progress | undefined }
  | {
      type: 'run-ended';
      time: string;
      state: 'success' | 'failure' | 'cancelled';
      message?: string;
      outputs?: Record<string, Value>;
    };
