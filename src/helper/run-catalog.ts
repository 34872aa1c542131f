import { readdir, stat } from 'node:fs/promises';
import { Failure } from '#base/failure.ts';
import type { RunSummary } from '#protocol/runs.ts';
import type { Home } from './home.ts';
import { isRunId, toRunFolder } from './run-folder.ts';
import { RunReader } from './run-reader.ts';

/** How many runs that do not change are kept with all their tasks. */
const readerLimit = 20;

/** The runs of a home, read when they are asked for. Of those that have ended only a summary is kept. */
export class RunCatalog {
  readonly home: Home;
  readonly #readers = new Map<string, RunReader>();
  readonly #ended = new Map<string, { size: number; summary: RunSummary }>();

  constructor(home: Home) {
    this.home = home;
  }

  /** The ids of all runs, oldest first. */
  async scan(): Promise<string[]> {
    const ids = (await readdir(this.home.runs).catch(() => [])).filter(isRunId).sort();
    const known = new Set(ids);
    for (const id of this.#ended.keys()) if (!known.has(id)) this.#ended.delete(id);
    for (const id of this.#readers.keys()) if (!known.has(id)) this.#readers.delete(id);
    return ids;
  }

  /** All runs, newest first. */
  async list(): Promise<RunSummary[]> {
    const waiting = await this.scan();
    const summaries: RunSummary[] = [];
    // A few at a time: a thousand runs on a network file system are a thousand round trips.
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
          const reader = await this.look(id);
          const summary = reader?.toSummary() ?? this.#ended.get(id)?.summary;
          if (summary) summaries.push(summary);
        }
      }),
    );
    return summaries.sort((one, other) => (one.id < other.id ? 1 : -1));
  }

  /**
   * Reads what is new of a run; undefined where it had ended and is as it was, or where there is no such run.
   * `freshness`: milliseconds for which its process counts as still alive.
   */
  async look(id: string, freshness = 0): Promise<RunReader | undefined> {
    const run = toRunFolder(this.home, id);
    const ended = this.#ended.get(id);
    if (ended && (await stat(run.journal).catch(() => undefined))?.size === ended.size) return undefined;
    const reader = this.#readers.get(id) ?? new RunReader(run);
    try {
      await reader.refresh(freshness);
    } catch {
      // It was removed meanwhile, or is just being made.
      return undefined;
    }
    this.#keep(reader);
    return reader;
  }

  /** The run as it is now, with all its tasks; throws `run/unknown`. */
  async find(id: string): Promise<RunReader> {
    const run = toRunFolder(this.home, id);
    const reader = this.#readers.get(id) ?? new RunReader(run);
    try {
      await reader.refresh();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new Failure('run/unknown', `there is no run ${id} in ${this.home.runs}`);
    }
    this.#readers.delete(id);
    this.#readers.set(id, reader);
    for (const [other, each] of this.#readers) {
      if (this.#readers.size <= readerLimit) break;
      if (!each.isActive) this.#readers.delete(other);
    }
    return reader;
  }

  #keep(reader: RunReader): void {
    const { id } = reader.run;
    if (reader.isActive) {
      this.#ended.delete(id);
      this.#readers.set(id, reader);
    } else {
      this.#ended.set(id, { size: reader.size, summary: reader.toSummary() });
    }
  }
}
