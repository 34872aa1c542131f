import type { Log, Progress } from '#base/log.ts';
import type { Evaluator } from '#cwl/evaluator.ts';
import type { Process, Requirement, Value } from '#cwl/model.ts';
import type { Reader } from '#cwl/reader.ts';
import type { Engine } from '#engine/sandbox.ts';
import type { Image } from '#image/image.ts';
import type { Capacity } from '#scheduler/this-host.ts';
import type { RunEvent } from './events.ts';
import type { GpuNode } from './gpus.ts';

export type DockerRequirement = Extract<Requirement, { class: 'DockerRequirement' }>;

/** Gives the root file system that a DockerRequirement names; asked once for each different requirement of a run. */
export interface ImageSource {
  resolve(
    requirement: DockerRequirement,
    signal: AbortSignal,
    onProgress: (progress: Progress | undefined) => void,
  ): Promise<Image>;
}

export interface RunOptions {
  process: Process;
  /** The input object; locations are absolute URIs. */
  inputs: Record<string, Value>;
  /** The run's own folder, absolute: journal, tasks, downloads. What an earlier process of this run left is taken up. */
  folder: string;
  /** Where the outputs go, absolute; made when there is something to put there. */
  outdir: string;
  /** False: nobody will look into `folder` after a success. */
  isFolderKept: boolean;
  label: string;
  /**
   * Called once, for the first tool that has an image: what such tools run in. Undefined: no containers; a
   * DockerRequirement is then ignored as a hint, and unsupported as a requirement.
   */
  loadEngine: (() => Promise<Engine>) | undefined;
  /** Runs tools that name no image. */
  hostEngine: Engine;
  /** Called once, for the first tool that asks for GPUs. */
  loadGpus(): Promise<GpuNode>;
  images: ImageSource;
  /** The kit's program that starts tasks; undefined: this process starts them itself, which takes longer. */
  spawner?: string;
  /** Folder of the results that runs share (WorkReuse); undefined: everything is done anew. */
  cache?: string;
  /** Image reference for tools that name none. */
  defaultContainer?: string;
  /** Called once, when the first process that uses JavaScript is met. */
  loadEvaluator(): Promise<Evaluator>;
  /** Reads ontologies and remote inputs. */
  reader: Reader;
  capacity: Capacity;
  /** Variables that every task gets besides those that CWL says; its own go before them. */
  environment?: Record<string, string>;
  /** False: outputs get no checksum. */
  checksums?: boolean;
  /** `copy` leaves the outputs in the run's folder as well. */
  outputs?: 'move' | 'copy';
  /** After a task has failed: start no more, go on with what does not depend on it, or end all that runs. */
  onError: 'stop' | 'continue' | 'kill';
  signal: AbortSignal;
  log: Log;
  onEvent(event: RunEvent): void;
}

export interface RunOutcome {
  state: 'success' | 'failure' | 'cancelled';
  outputs?: Record<string, Value>;
  /** For a person, several lines; with `failure` and `cancelled`. */
  message?: string;
  /** The failure is that the document requires what this program, or this call of it, does not offer. */
  unsupported?: boolean;
}
