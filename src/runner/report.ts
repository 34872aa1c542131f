import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { formatCommand } from '#base/command.ts';

/** The end of a program's output: at most `lines` lines of its last 8 KiB; nothing where there is none. */
export function readTail(path: string, lines: number): string {
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
  const said =
    tail === '' ? '\n  it wrote nothing to its standard error' : `\n  the end of its standard error:\n${indent(tail)}`;
  return `${failure.task}: ${failure.reason}\n  command: ${formatCommand(failure.argv)}${where}${said}\n  files: ${failure.folder}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}
