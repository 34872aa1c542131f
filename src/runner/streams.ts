import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { type Context, evaluate, evaluateString, formatPlace } from '#cwl/expression.ts';
import type { CommandLineTool } from '#cwl/model.ts';
import type { GuestView } from './guest-view.ts';
import type { TaskPaths } from './staging.ts';

/** Paths on the host of the files that a tool names for its standard streams; undefined where it names none. */
export interface NamedStreams {
  stdin: string | undefined;
  stdout: string | undefined;
  stderr: string | undefined;
}

/**
 * Finds the input and makes the outputs, empty (CWL v1.2, CommandLineTool: stdin, stdout, stderr). Throws a Failure
 * `runner/stream` for an input that is not there and for an output outside the output directory.
 */
export function openNamedStreams(
  tool: CommandLineTool,
  context: Context,
  paths: TaskPaths,
  view: GuestView,
): NamedStreams {
  const output = (stream: 'stdout' | 'stderr'): string | undefined => {
    const text = tool[stream];
    if (text === undefined) return undefined;
    const name = evaluateString(text, context, { place: tool.place, what: stream });
    const path = posix.resolve(paths.work.guest, name);
    if (name === '' || !path.startsWith(`${paths.work.guest}/`))
      throw invalid(tool, `${stream} "${name}" is not a file in the output directory`);
    const target = join(paths.work.host, posix.relative(paths.work.guest, path));
    if (dirname(target) !== paths.work.host) mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, '');
    return target;
  };
  return { stdin: findStdin(tool, context, paths, view), stdout: output('stdout'), stderr: output('stderr') };
}

function findStdin(tool: CommandLineTool, context: Context, paths: TaskPaths, view: GuestView): string | undefined {
  if (tool.stdin === undefined) return undefined;
  const value = evaluate(tool.stdin, context, { place: tool.place });
  if (value === null) return undefined;
  const path = typeof value === 'string' ? posix.resolve(paths.work.guest, value) : (value as { path?: string }).path;
  const found = path === undefined ? undefined : view.resolve(path);
  if (found) return found.host;
  throw invalid(tool, `there is no file ${String(path)} for stdin`);
}

function invalid(tool: CommandLineTool, message: string): Failure {
  return new Failure('runner/stream', `${formatPlace(tool.place)}: ${message}`);
}
