import { appendFileSync, closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Sandbox } from '#engine/sandbox.ts';

/** The sandbox of a task that was started: what a shell in it needs. */
export interface TaskSandbox {
  task: string;
  sandbox: Sandbox;
  engine: string;
  /** The host's path of `$TMPDIR`, which another task has once this one has ended well. */
  tmpdir: string;
  commandLine: string;
  image?: string;
  /** Ends what would not end with the run's processes (`planEnd` of its engine). */
  endArgv?: string[];
}

/** Keeps the sandboxes of a run's tasks, one a line, in `sandboxes.jsonl`: a file for each would be most of what a short task costs. */
export class TaskSandboxes {
  readonly #descriptor: number;

  constructor(runFolder: string) {
    const path = toPath(runFolder);
    // What a killed process has left unfinished must not swallow the next line; empty lines are nothing.
    appendFileSync(path, '\n');
    this.#descriptor = openSync(path, 'a');
  }

  append(description: TaskSandbox): void {
    writeSync(this.#descriptor, `${JSON.stringify(description)}\n`);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** How to end what tasks of a killed run may have left running. */
export function listEndCommands(runFolder: string): string[][] {
  const commands = new Map<string, string[]>();
  for (const line of readText(toPath(runFolder)).split('\n')) {
    if (!line.includes('"endArgv":') || !line.endsWith('}')) continue;
    const { endArgv } = JSON.parse(line) as TaskSandbox;
    if (endArgv) commands.set(endArgv.join('\0'), endArgv);
  }
  return [...commands.values()];
}

/** The last sandbox of a task; undefined where it was not started. */
export function findTaskSandbox(runFolder: string, task: string): TaskSandbox | undefined {
  const start = `{"task":${JSON.stringify(task)},`;
  const line = readText(toPath(runFolder))
    .split('\n')
    .findLast(each => each.startsWith(start) && each.endsWith('}'));
  return line === undefined ? undefined : (JSON.parse(line) as TaskSandbox);
}

function toPath(runFolder: string): string {
  return join(runFolder, 'sandboxes.jsonl');
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
