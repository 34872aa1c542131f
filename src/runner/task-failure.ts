import { closeSync, fstatSync, openSync, readSync, statfsSync } from 'node:fs';
import { type Exit, formatCommand } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import type { CommandLineTool } from '#cwl/model.ts';
import type { Guards } from './guards.ts';

/** The tool itself failed: an outcome of the user's work, on its way to the journal. */
export class TaskFailure extends Failure {
  readonly reason: string;
  readonly exitCode: number | null;

  constructor(message: string, reason: string, exitCode: number | null) {
    super('runner/task', message);
    this.reason = reason;
    this.exitCode = exitCode;
  }
}

/** Why a task has failed; undefined where it has not. `guards` have looked before it ran. */
export function findFault(tool: CommandLineTool, exit: Exit & { isLate: boolean }, guards: Guards): string | undefined {
  if (exit.isLate) return 'it was ended because it ran longer than its ToolTimeLimit';
  if (exit.code === null) {
    return `it was ended by ${exit.signal}${exit.signal === 'SIGKILL' ? ' (out of memory?)' : ''}`;
  }
  return judgeExitCode(tool, exit.code) ?? guards.findViolation();
}

/**
 * Why an exit code means failure; undefined for success. A list counts before what holds without one: by default, all
 * codes except 0 are permanent failure (CWL v1.2, CommandLineTool.successCodes, .temporaryFailCodes and
 * .permanentFailCodes).
 */
function judgeExitCode(tool: CommandLineTool, code: number): string | undefined {
  if (tool.successCodes.includes(code)) return undefined;
  const reason = `it ended with exit code ${code}`;
  if (tool.temporaryFailCodes.includes(code)) return `${reason}, which the tool calls a temporary failure`;
  if (tool.permanentFailCodes.includes(code)) return `${reason}, which the tool calls a permanent failure`;
  return code === 0 ? undefined : reason;
}

/** What a person needs to see of a task that failed. */
export function formatTaskFailure(failure: {
  task: string;
  reason: string;
  argv: readonly string[];
  image: string | undefined;
  stderr: string;
  folder: string;
}): string {
  const tail = readTail(failure.stderr, 20);
  const where = failure.image === undefined ? '' : `\n  image: ${failure.image}`;
  const full = isDiskFull(failure.folder) ? '\n  the disk that it writes to is full, or the quota used up' : '';
  const said =
    tail === '' ? '\n  it wrote nothing to its standard error' : `\n  the end of its standard error:\n${indent(tail)}`;
  return `${failure.task}: ${failure.reason}\n  command: ${formatCommand(failure.argv)}${where}${said}${full}\n  files: ${failure.folder}`;
}

/** What a program says when it can't write is often nothing: its standard error could not be written either. */
function isDiskFull(folder: string): boolean {
  try {
    // Programs leave less than a block of each file.
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < 65_536;
  } catch {
    return false;
  }
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}

/** The end of a program's output: at most `lines` lines of its last 8 KiB; nothing where there is none. */
function readTail(path: string, lines: number): string {
  try {
    const descriptor = openSync(path, 'r');
    try {
      const { size } = fstatSync(descriptor);
      const bytes = Buffer.alloc(Math.min(size, 8192));
      readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
      return bytes.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
}
