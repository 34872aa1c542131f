import { readdir } from 'node:fs/promises';
import { Failure } from '#base/failure.ts';
import type { RunSummary } from '#protocol/runs.ts';
import type { Home } from './home.ts';
import { isRunId, toRunFolder } from './run-folder.ts';
import { RunReader } from './run-reader.ts';

/** The runs of a home, read when they are asked for. */
export class RunCatalog {
  readonly home: Home;
  readonly #readers = new Map<string, RunReader>();

  constructor(home: Home) {
    this.home = home;
  }

  /** The runs that were there at the last look. */
  get known(): RunReader[] {
    return [...this.#readers.values()];
  }

  /** Looks which runs there are; returns all, oldest first, and the ids of those that are gone since. */
  async scan(): Promise<{ readers: RunReader[]; gone: string[] }> {
    const names = new Set((await readdir(this.home.runs).catch(() => [])).filter(isRunId));
    const gone = [...this.#readers.keys()].filter(id => !names.has(id));
    for (const id of gone) this.#readers.delete(id);
    const readers = [...names].sort().map(id => {
      const reader = this.#readers.get(id) ?? new RunReader(toRunFolder(this.home, id));
      this.#readers.set(id, reader);
      return reader;
    });
    return { readers, gone };
  }

  /** All runs, newest first. */
  async list(): Promise<RunSummary[]> {
    const { readers } = await this.scan();
    const summaries: RunSummary[] = [];
    // A few at a time: a thousand runs on a network file system are a thousand round trips.
    const waiting = [...readers];
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let reader = waiting.pop(); reader; reader = waiting.pop()) {
          if (await tryRefresh(reader)) summaries.push(reader.toSummary());
        }
      }),
    );
    return summaries.sort((one, other) => (one.id < other.id ? 1 : -1));
  }

  /** The run as it is now; throws `run/unknown`. */
  async find(id: string): Promise<RunReader> {
    const run = toRunFolder(this.home, id);
    const reader = this.#readers.get(id) ?? new RunReader(run);
    try {
      await reader.refresh();
    } catch (error) {
      this.#readers.delete(id);
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new Failure('run/unknown', `there is no run ${id} in ${this.home.runs}`);
    }
    this.#readers.set(id, reader);
    return reader;
  }
}

/** False where the run was removed meanwhile, or can't be read. */
export async function tryRefresh(reader: RunReader, freshness = 0): Promise<boolean> {
  try {
    await reader.refresh(freshness);
    return true;
  } catch {
    return false;
  }
}
