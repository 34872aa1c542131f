import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { LogKey } from '#protocol/messages.ts';
import type { RunCatalog } from './run-catalog.ts';
import { isTaskEnded } from './run-fold.ts';

/** The most that one message carries, in bytes. */
const pieceSize = 256 * 1024;
/** Milliseconds between looks at a log, where no event comes. */
const pollInterval = 1_000;

export interface LogPiece {
  text: string;
  /** Byte offset where the next piece begins. */
  next: number;
  /** True where nothing will follow. */
  ended: boolean;
}

/** Reads from byte `offset` on; an unfinished character at the end waits for its rest. A log that is not there yet is empty. */
export async function readLog(catalog: RunCatalog, key: LogKey, offset: number): Promise<LogPiece> {
  const { path, isOver } = await findLog(catalog, key);
  return readPiece(path, offset, isOver);
}

/** Sends what a log gets from byte `offset` on, in order, until it has ended or `signal` aborts. */
export async function watchLog(
  catalog: RunCatalog,
  key: LogKey,
  offset: number,
  send: (piece: LogPiece) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { path } = await findLog(catalog, key);
  const bell = new Bell();
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(path), { persistent: false }, (_, name) => name === basename(path) && bell.ring());
    watcher.on('error', () => {});
  } catch {
    // The poll does it alone.
  }
  signal.addEventListener('abort', () => bell.ring());
  try {
    for (let at = offset; !signal.aborted; ) {
      // First whether it is over, then the text: what was written before the end is not missed.
      const { isOver } = await findLog(catalog, key);
      const piece = await readPiece(path, at, isOver);
      if (signal.aborted) return;
      if (piece.next > at || piece.ended) await send(piece);
      if (piece.ended) return;
      if (piece.next === at) await bell.wait(pollInterval);
      at = piece.next;
    }
  } finally {
    watcher?.close();
  }
}

async function findLog(catalog: RunCatalog, key: LogKey): Promise<{ path: string; isOver: boolean }> {
  const reader = await catalog.find(key.run);
  if (key.task === undefined) return { path: reader.run.log, isOver: !reader.isActive };
  const task = reader.findTask(key.task);
  if (!task) throw new Failure('run/no-task', `run ${key.run} has no task ${key.task}`);
  // Before it has begun it has no folder, and so an empty log.
  const path = join(task.folder ?? join(reader.run.folder, 'tasks', 'none'), key.stream);
  return { path, isOver: isTaskEnded(task.state) || !reader.isActive };
}

async function readPiece(path: string, offset: number, isOver: boolean): Promise<LogPiece> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { text: '', next: offset, ended: isOver };
    throw new Failure('log/not-readable', `${path} can't be read`, { cause: error });
  }
  try {
    const buffer = Buffer.alloc(pieceSize);
    const { bytesRead } = await file.read(buffer, 0, pieceSize, offset);
    const isLast = isOver && bytesRead < pieceSize;
    const length = isLast ? bytesRead : findTextEnd(buffer.subarray(0, bytesRead));
    return { text: buffer.toString('utf8', 0, length), next: offset + length, ended: isLast };
  } finally {
    await file.close();
  }
}

/** The length without a UTF-8 sequence that is cut off at the end; what is no UTF-8 at all is not waited for. */
export function findTextEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return bytes.length;
    if (byte < 0xc0) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Wakes one waiter, now or at its next wait. */
class Bell {
  #wake: (() => void) | undefined;
  #isRung = false;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  async wait(milliseconds: number): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, milliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#isRung = false;
  }
}
