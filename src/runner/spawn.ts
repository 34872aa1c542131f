import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Command, Exit } from '#base/command.ts';
import { Failure } from '#base/failure.ts';

/** Between asking a task's processes to end and ending them, milliseconds. */
const patience = 10_000;

/** The same for containers: their first process has no handler for that signal, mostly, and then does not get it. */
const containerPatience = 3000;

export interface Streams {
  /** Path of the file that is read; undefined is an empty one. */
  stdin: string | undefined;
  /** Paths of the files that are written. */
  stdout: string;
  stderr: string;
}

/** A process that runs, the leader of a group of its own. */
export interface Task {
  pid: number;
  exit: Promise<Exit>;
}

/** Starts processes; rejects with the system's error where one can't be started. */
export interface Starter {
  start(command: Command, streams: Streams): Promise<Task>;
  /** Ends what still runs. */
  close(): Promise<void>;
}

/**
 * Runs a command without a shell in between, in a process group of its own, and waits for it. All of the group is ended
 * when the process has ended, when `signal` is aborted, or after `timeLimit` seconds (`isLate`).
 * Throws a Failure `runner/spawn` where it can't be started.
 */
export async function runCommand(
  command: Command,
  options: {
    streams: Streams;
    starter: Starter;
    signal: AbortSignal;
    timeLimit: number | undefined;
    /** Ends what does not end with the processes of the command. */
    endCommand?: Command;
  },
): Promise<Exit & { isLate: boolean }> {
  const { streams, starter, signal, timeLimit, endCommand } = options;
  const [file = ''] = command.argv;
  const { pid, exit } = await starter.start(command, streams).catch(error => Promise.reject(toFailure(file, error)));
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    kill(pid, 'SIGTERM');
    timer = endCommand
      ? setTimeout(() => runQuietly(endCommand).then(() => kill(pid, 'SIGKILL')), containerPatience)
      : setTimeout(() => kill(pid, 'SIGKILL'), patience).unref();
  };
  const limit = timeLimit
    ? setTimeout(() => {
        isLate = true;
        end();
      }, timeLimit * 1000)
    : undefined;
  signal.addEventListener('abort', end, { once: true });
  try {
    if (signal.aborted) end();
    const ended = await exit;
    // Whoever has ended the command may have left what it runs.
    if (endCommand && (timer || ended.signal !== null)) await runQuietly(endCommand);
    return { ...ended, isLate };
  } finally {
    clearTimeout(timer);
    clearTimeout(limit);
    signal.removeEventListener('abort', end);
  }
}

/** Runs a command whose failure means that there was nothing to do. */
function runQuietly(command: Command): Promise<void> {
  const [file = '', ...args] = command.argv;
  const child = spawn(file, args, { env: command.env, cwd: command.cwd, stdio: 'ignore' });
  return new Promise(resolve => child.on('error', () => resolve()).on('exit', () => resolve()));
}

/** Starts processes as children of this one, for hosts whose kit has no spawner. */
export const ownStarter: Starter = {
  async start(command, streams) {
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
      const stdio = [input, output, error] as const;
      child = spawn(file, args, {
        cwd: command.cwd,
        env: command.env ?? process.env,
        detached: true,
        stdio: [...stdio],
      });
    } finally {
      for (const descriptor of open) closeSync(descriptor);
    }
    const exit = new Promise<Exit>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, name) => {
        // The tool has ended when its first process has (CWL v1.2, CommandLineTool §Execution).
        kill(child.pid, 'SIGKILL');
        resolve({ code, signal: name });
      });
    });
    // A process without a number could not be started: then `exit` says why.
    return child.pid === undefined ? (exit as never) : { pid: child.pid, exit };
  },
  async close() {},
};

function kill(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // Nothing of the group is left.
  }
}

function toFailure(file: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') {
    return new Failure('runner/spawn', `there is no program ${file}`, {
      hint: 'It is looked for in the PATH of the task. Does the tool name the right image (DockerRequirement)?',
    });
  }
  return new Failure('runner/spawn', `${file} could not be started`, { cause: error });
}
