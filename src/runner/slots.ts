import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { deviceFolder } from '#engine/host-files.ts';

const umask = process.umask();

/** What one task after the other uses. */
export interface Slot {
  number: number;
  /** `$TMPDIR` and `/tmp`. */
  temporary: string;
  /** For the engine's own use. */
  engine: string;
}

/**
 * Temporary folders and logs that tasks hand on to each other. To make a file or a folder is what a short task spends most
 * of its time with, on many file systems; a second name for one costs nothing. A task that fails keeps what it has.
 */
export class Slots {
  readonly #folder: string;
  readonly #free: Slot[] = [];
  #last = 0;

  constructor(runFolder: string) {
    this.#folder = join(runFolder, 'slots');
    // What is there is of a process that was killed.
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder);
  }

  take(): Slot {
    const free = this.#free.pop();
    if (free) return free;
    const number = ++this.#last;
    const slot = { number, temporary: this.#toPath('tmp', number), engine: this.#toPath('engine', number) };
    mkdirSync(slot.temporary);
    return slot;
  }

  /** The folder for the engine of a sandbox. */
  openEngine(slot: Slot): void {
    if (!existsSync(slot.engine)) mkdirSync(slot.engine);
  }

  /** Makes `path` an empty file for a log. */
  openLog(slot: Slot, path: string, stream: 'stdout' | 'stderr'): void {
    const own = this.#toPath(stream, slot.number);
    if (!existsSync(own)) writeFileSync(own, '');
    linkLog(own, path);
  }

  /**
   * Takes back what a task that ended well has used: `logs` are those that were opened for it; empty ones are removed.
   * False where the task has left something that can't be removed, and nobody gets the slot again.
   */
  give(slot: Slot, logs: { path: string; stream: 'stdout' | 'stderr' }[]): boolean {
    for (const { path, stream } of logs) {
      if (statSync(path, { throwIfNoEntry: false })?.size === 0) unlinkSync(path);
      else rmSync(this.#toPath(stream, slot.number), { force: true });
    }
    const isClean = tryEmpty(slot.temporary) && (isLikeNew(slot.engine) || tryEmpty(slot.engine));
    if (isClean) this.#free.push(slot);
    return isClean;
  }

  /** Leaves a task that has failed its temporary files, at `path`, and its logs. */
  abandon(slot: Slot, path: string): void {
    renameSync(slot.temporary, path);
    for (const kind of ['engine', 'stdout', 'stderr'])
      rmSync(this.#toPath(kind, slot.number), { recursive: true, force: true });
  }

  #toPath(kind: string, number: number): string {
    return join(this.#folder, `${kind}${number}`);
  }
}

/** Gives `file` the name of a log as well, which it keeps when it is moved away. */
export function linkLog(file: string, log: string): void {
  try {
    linkSync(file, log);
  } catch {
    // File systems without hard links.
    writeFileSync(log, '');
  }
}

/** False where a task has left what can't be removed: then nobody gets it again. */
function tryEmpty(folder: string): boolean {
  try {
    // Its mode is the task's to change too.
    if ((statSync(folder).mode & 0o777) !== (0o777 & ~umask)) return false;
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

/** True where an engine's folder holds nothing, or just the folder of devices as the launcher makes it. */
function isLikeNew(folder: string): boolean {
  try {
    // The bare host has no engine's folder.
    if (!existsSync(folder)) return true;
    const names = readdirSync(folder);
    if (names.length !== 1 || names[0] !== deviceFolder.name) return names.length === 0;
    const path = join(folder, deviceFolder.name);
    const entries = readdirSync(path, { withFileTypes: true });
    if (entries.length !== deviceFolder.files.length + Object.keys(deviceFolder.links).length + 1) return false;
    return entries.every(entry => {
      const target = deviceFolder.links[entry.name];
      if (target !== undefined) return entry.isSymbolicLink() && readlinkSync(join(path, entry.name)) === target;
      if (entry.name === deviceFolder.empty) return entry.isDirectory() && isPrivateAndEmpty(join(path, entry.name));
      return entry.isFile() && deviceFolder.files.includes(entry.name);
    });
  } catch {
    return false;
  }
}

function isPrivateAndEmpty(folder: string): boolean {
  return (statSync(folder).mode & 0o777) === 0o700 && readdirSync(folder).length === 0;
}
