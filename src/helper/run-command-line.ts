import { readFileSync, writeFileSync } from 'node:fs';
import { Failure } from '#base/failure.ts';
import type { RunRequest } from '#protocol/messages.ts';
import { describeRunFolder } from './run-folder.ts';

/** How a run was begun that `serve` did not prepare: what is needed to go on with it. */
export interface CommandLine {
  cwd: string;
  /** After `run`. */
  args: string[];
}

/** Leaves `request.json` in the folder of a run that begins on the command line. */
export function saveCommandLine(
  folder: string,
  args: readonly string[],
  { tool, label, outdir }: { tool: string; label: string; outdir: string },
): void {
  const command: CommandLine = { cwd: process.cwd(), args: [...args] };
  const request: RunRequest & { command: CommandLine } = { sources: [], tool, inputs: {}, label, outdir, command };
  try {
    writeFileSync(describeRunFolder('', folder).request, JSON.stringify(request));
  } catch (error) {
    throw new Failure('helper/not-writable', `${folder} can't be written`, {
      cause: error,
      hint: 'Is the disk full, or the quota used up?',
    });
  }
}

/** Undefined where `serve` has prepared the run. */
export function loadCommandLine(folder: string): CommandLine | undefined {
  try {
    const request = JSON.parse(readFileSync(describeRunFolder('', folder).request, 'utf8')) as {
      command?: CommandLine;
    };
    return request.command;
  } catch {
    return undefined;
  }
}
