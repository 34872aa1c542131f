import { Failure } from '#base/failure.ts';
import type { Evaluator } from '#cwl/evaluator.ts';
import type { Ontology } from '#cwl/format.ts';
import type { Value } from '#cwl/model.ts';
import type { Requirements } from '#cwl/requirements.ts';
import type { Engine } from '#engine/sandbox.ts';
import type { Image } from '#image/image.ts';
import type { RunEvent } from './events.ts';
import type { Gate } from './gate.ts';
import type { GpuNode } from './gpus.ts';
import type { TaskEvent } from './journal.ts';
import type { DockerRequirement, RunOptions } from './options.ts';
import type { ReuseCache } from './reuse-cache.ts';
import type { Slots } from './slots.ts';
import type { Starters } from './starters.ts';
import type { TaskSandboxes } from './task-sandboxes.ts';

/** What all tasks of a run share. */
export interface RunState {
  options: RunOptions;
  gate: Gate;
  slots: Slots;
  /** Results of other runs; undefined where none are to be used. */
  cache: ReuseCache | undefined;
  sandboxes: TaskSandboxes;
  starters: Starters;
  evaluator: Evaluator | undefined;
  /** Ended tasks of an earlier process of this run, by their id. */
  finished: ReadonlyMap<string, TaskEvent>;
  /** Aborted when the run is cancelled, or a failure ends it (`--on-error kill`). */
  signal: AbortSignal;
  /** What failed, for a person; one text for each task. */
  failures: { task: string; message: string; unsupported: boolean }[];
  /** The engine for tools with an image. */
  loadEngine(): Promise<Engine>;
  /** The GPUs of this node. */
  loadGpus(): Promise<GpuNode>;
  /** Tells what holds for many tasks alike. */
  warnOnce(text: string): void;
  /** True where the image is there without waiting. */
  isReady(requirement: DockerRequirement): boolean;
  resolveImage(requirement: DockerRequirement): Promise<Image>;
  loadOntology(schemas: readonly string[]): Promise<Ontology>;
  /** Journals an event and tells it. */
  record(event: RunEvent): void;
  /** A task or step has failed: journals it, and does what `--on-error` says. */
  fail(scope: Scope, error: unknown, details?: Partial<TaskEvent>): StepFailed;
  /** Throws {@link StepFailed} where nothing new is to be started any more. */
  checkGoesOn(): void;
}

/** One execution of a process in the run. */
export interface Scope {
  /** Unique in the run: `sub/align[2]`; `main` for the run's own process where that is a tool. */
  task: string;
  /** The same without the numbers of scattered tasks. */
  step: string;
  /** In force for the process, its own included. */
  requirements: Requirements;
  inputs: Record<string, Value>;
}

/** Thrown in place of outputs where a step, or one that it depends on, has failed; what failed is told already. */
export class StepFailed extends Error {
  constructor() {
    super('a step has failed');
    this.name = 'StepFailed';
  }
}

/** A fault of the file system as a Failure with what to do; other faults stay as they are. */
export function explain(error: unknown): unknown {
  const code = error instanceof Failure ? undefined : (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === undefined || !/^E[A-Z]+$/.test(code)) return error;
  const hint = hints[code];
  return new Failure('runner/file-system', (error as Error).message, { ...(hint !== undefined && { hint }) });
}

const hints: Record<string, string> = {
  ENOSPC: 'The disk is full: free some space, and resume the run.',
  EDQUOT: 'The quota is used up: free some space, and resume the run.',
  EMFILE: 'Too many files are open: run fewer tasks at a time (--parallel).',
  ENAMETOOLONG: 'A name is longer than the file system allows.',
};

export function now(): string {
  return new Date().toISOString();
}
