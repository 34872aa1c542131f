import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The files of one task, below `tasks/` of its run. */
export interface TaskFolder {
  path: string;
  /** The output directory. */
  work: string;
  /** `$TMPDIR` and `/tmp`. */
  temporary: string;
  /** For the engine's own use; there is none on the bare host. */
  engine: string;
  stdout: string;
  stderr: string;
  description: string;
}

/** Makes the folder of a task; what an attempt before left there is removed. */
export function makeTaskFolder(runFolder: string, task: string, options: { needsEngine: boolean }): TaskFolder {
  const path = join(runFolder, 'tasks', toFolderName(task));
  const folder: TaskFolder = {
    path,
    work: join(path, 'work'),
    temporary: join(path, 'tmp'),
    engine: join(path, 'engine'),
    stdout: join(path, 'stdout'),
    stderr: join(path, 'stderr'),
    description: join(path, 'task.json'),
  };
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  }
  mkdirSync(folder.work);
  mkdirSync(folder.temporary);
  if (options.needsEngine) mkdirSync(folder.engine);
  return folder;
}

/** Removes what a task that ended well left in its temporary directories. */
export function emptyTemporary(folder: TaskFolder): void {
  for (const each of [folder.temporary, folder.engine]) {
    if (each === folder.engine && !existsSync(each)) continue;
    for (const name of readdirSync(each)) rmSync(join(each, name), { recursive: true, force: true });
  }
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
