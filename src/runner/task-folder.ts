import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The files of one task, below `tasks/` of its run. */
export interface TaskFolder {
  path: string;
  /** The output directory. */
  work: string;
  /** Where `$TMPDIR` goes if the task fails. */
  temporary: string;
  /** Not there where the task wrote nothing to it. */
  stdout: string;
  stderr: string;
}

/** Makes the folder of a task; what an attempt before left there is removed. */
export function makeTaskFolder(runFolder: string, task: string): TaskFolder {
  const path = join(runFolder, 'tasks', toFolderName(task));
  const folder: TaskFolder = {
    path,
    work: join(path, 'work'),
    temporary: join(path, 'tmp'),
    stdout: join(path, 'stdout'),
    stderr: join(path, 'stderr'),
  };
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  }
  mkdirSync(folder.work);
  return folder;
}

/** `sub/sort[2]` as one name; other ids never give the same. */
export function toFolderName(task: string): string {
  const encoded = task.replace(/[^A-Za-z0-9_[\]-]/g, char => (char === '/' ? '.' : encodeChar(char)));
  // Longer names do not fit into a directory entry; the journal tells which task has which folder.
  return encoded.length <= 200 ? encoded : `${encoded.slice(0, 160)}~${hash(encoded)}`;
}

function encodeChar(char: string): string {
  return [...Buffer.from(char)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

/** FNV-1a, 32 bits, twice over. */
function hash(text: string): string {
  const once = (seed: number) => {
    let value = seed;
    for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16_777_619);
    return (value >>> 0).toString(16).padStart(8, '0');
  };
  return once(2_166_136_261) + once(1_234_567_891);
}
