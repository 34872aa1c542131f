import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Command, Exit } from '#base/command.ts';
import { Failure } from '#base/failure.ts';

/** Between asking a task's processes to end and ending them, milliseconds. */
const patience = 10_000;

export interface Streams {
  /** Path of the file that is read; undefined is an empty one. */
  stdin: string | undefined;
  /** Paths of the files that are written. */
  stdout: string;
  stderr: string;
}

/**
 * Runs a command without a shell in between, in a process group of its own, and waits for it. All of the group is ended
 * when the process has ended, when `signal` is aborted, or after `timeLimit` seconds (`isLate`).
 * Throws a Failure `runner/spawn` where it can't be started.
 */
export async function runCommand(
  command: Command,
  options: { streams: Streams; signal: AbortSignal; timeLimit: number | undefined },
): Promise<Exit & { isLate: boolean }> {
  const { streams, signal, timeLimit } = options;
  const [file = '', ...args] = command.argv;
  const open: number[] = [];
  const openFile = (path: string, flags: string) => {
    const descriptor = openSync(path, flags);
    open.push(descriptor);
    return descriptor;
  };
  let child: ChildProcess;
  try {
    const input = streams.stdin === undefined ? 'ignore' : openFile(streams.stdin, 'r');
    const output = openFile(streams.stdout, 'a');
    const error = streams.stderr === streams.stdout ? output : openFile(streams.stderr, 'a');
    child = spawn(file, args, {
      cwd: command.cwd,
      env: command.env ?? process.env,
      detached: true,
      stdio: [command.stdin === undefined ? input : 'pipe', output, error],
    });
  } catch (error) {
    throw toFailure(file, error);
  } finally {
    for (const descriptor of open) closeSync(descriptor);
  }
  if (command.stdin !== undefined) child.stdin?.on('error', () => {}).end(command.stdin);

  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    kill(child, 'SIGTERM');
    timer = setTimeout(() => kill(child, 'SIGKILL'), patience).unref();
  };
  const limit = timeLimit
    ? setTimeout(() => {
        isLate = true;
        end();
      }, timeLimit * 1000)
    : undefined;
  signal.addEventListener('abort', end, { once: true });
  try {
    const exit = await new Promise<Exit>((resolve, reject) => {
      child.on('error', error => reject(toFailure(file, error)));
      child.on('exit', (code, name) => resolve({ code, signal: name }));
      if (signal.aborted) end();
    });
    return { ...exit, isLate };
  } finally {
    clearTimeout(timer);
    clearTimeout(limit);
    signal.removeEventListener('abort', end);
    // The tool has ended when its first process has (CWL v1.2, CommandLineTool §Execution).
    kill(child, 'SIGKILL');
  }
}

function kill(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, name);
  } catch {
    // Nothing of the group is left.
  }
}

function toFailure(file: string, error: unknown): Failure {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') {
    return new Failure('runner/spawn', `there is no program ${file}`, {
      hint: 'It is looked for in the PATH of the task. Does the tool name the right image (DockerRequirement)?',
    });
  }
  return new Failure('runner/spawn', `${file} could not be started`, { cause: error });
}
