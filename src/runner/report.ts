import { closeSync, fstatSync, openSync, readSync, statfsSync } from 'node:fs';
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
