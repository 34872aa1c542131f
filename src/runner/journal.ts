import { closeSync, fdatasync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { RunEvent } from './events.ts';

/** Milliseconds within which the end of a task reaches the disk, so that it outlives the machine. */
const syncDelay = 200;

export type TaskEvent = Extract<RunEvent, { type: 'task' }>;

/**
 * The run's only state: one event a line, appended, in `journal.jsonl`. A task's end is written before anything that
 * follows from it, so that a killed process loses none; it reaches the disk itself soon after, several at a time.
 */
export class Journal {
  readonly #descriptor: number;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(folder: string) {
    const path = toJournalPath(folder);
    try {
      this.#descriptor = openSync(path, 'a');
      // A line that a killed process left unfinished must not swallow the next one.
      const text = readJournalText(folder);
      if (text !== '' && !text.endsWith('\n')) this.#write('\n');
    } catch (error) {
      throw toFailure(error);
    }
  }

  append(event: RunEvent): void {
    this.#write(`${JSON.stringify(event)}\n`);
    if (event.type === 'task' && isFinal(event)) this.#sync();
  }

  /** Waits for the disk. */
  close(): void {
    clearTimeout(this.#timer);
    this.#isClosed = true;
    fdatasyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }

  #write(text: string): void {
    try {
      writeSync(this.#descriptor, text);
    } catch (error) {
      throw toFailure(error);
    }
  }

  /** A disk that is asked to sync holds up all else that is written to it: so not more often than now and then. */
  #sync(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isClosed) fdatasync(this.#descriptor, () => {});
    }, syncDelay).unref();
  }
}

/** The events of a run so far; lines that a kill cut off are left out. */
export function readJournal(folder: string): RunEvent[] {
  return readJournalText(folder)
    .split('\n')
    .flatMap(line => {
      try {
        return line === '' ? [] : [JSON.parse(line) as RunEvent];
      } catch {
        return [];
      }
    });
}

/** The tasks that ended well, by their id. */
export function findFinished(events: readonly RunEvent[]): Map<string, TaskEvent> {
  const finished = new Map<string, TaskEvent>();
  for (const event of events) {
    if (event.type !== 'task' || !isFinal(event)) continue;
    if (event.outputs && event.key) finished.set(event.task, event);
    else finished.delete(event.task);
  }
  return finished;
}

function isFinal(event: TaskEvent): boolean {
  return ['success', 'failure', 'skipped', 'cancelled', 'reused'].includes(event.state);
}

function toJournalPath(folder: string): string {
  return join(folder, 'journal.jsonl');
}

function readJournalText(folder: string): string {
  try {
    return readFileSync(toJournalPath(folder), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function toFailure(error: unknown): Failure {
  return new Failure('runner/journal', 'the journal of the run could not be written', {
    hint: 'Is the disk full, or the quota used up?',
    cause: error,
  });
}
