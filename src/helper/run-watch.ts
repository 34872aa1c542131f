import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { RunDetail } from '#protocol/runs.ts';
import type { RunCatalog } from './run-catalog.ts';
import type { RunReader } from './run-reader.ts';

/** Milliseconds between looks at runs that go on: shared file systems tell no events of other machines. */
const pollInterval = 2_000;
/** The least time between two messages about one run, in milliseconds; large runs are told more seldom. */
const sendInterval = 200;

export interface RunWatchEvents {
  changed(detail: RunDetail): void;
  removed(id: string): void;
}

/**
 * Watches the runs of a home until `signal` aborts, and tells what changes after its first look. Ended runs cost nothing:
 * only when the folder of runs changes (a new run, a removed one, or one that is resumed, which touches it) are all looked
 * at.
 */
export function watchRuns(catalog: RunCatalog, events: RunWatchEvents, signal: AbortSignal): void {
  const watch = new RunWatch(catalog, events);
  signal.addEventListener('abort', () => watch.close());
}

class RunWatch {
  readonly #catalog: RunCatalog;
  readonly #events: RunWatchEvents;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** The version of each run that was told. */
  readonly #told = new Map<string, number>();
  readonly #poller: NodeJS.Timeout;
  readonly #folderWatcher: FSWatcher | undefined;
  #folderModified = -1;
  #isFirst = true;
  #isPolling = false;
  #isClosed = false;

  constructor(catalog: RunCatalog, events: RunWatchEvents) {
    this.#catalog = catalog;
    this.#events = events;
    this.#poller = setInterval(() => void this.#poll(), pollInterval);
    this.#folderWatcher = tryWatch(catalog.home.runs, () => void this.#poll());
    void this.#poll();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poller);
    this.#folderWatcher?.close();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const id of [...this.#watchers.keys()]) this.#detach(id);
  }

  async #poll(): Promise<void> {
    if (this.#isPolling || this.#isClosed) return;
    this.#isPolling = true;
    const modified = (await stat(this.#catalog.home.runs).catch(() => undefined))?.mtimeMs ?? 0;
    if (modified === this.#folderModified) {
      for (const reader of this.#catalog.known) if (reader.isActive) await this.#look(reader);
    } else {
      this.#folderModified = modified;
      const { readers, gone } = await this.#catalog.scan();
      for (const id of gone) this.#forget(id);
      for (const reader of readers) await this.#look(reader);
      this.#isFirst = false;
    }
    this.#isPolling = false;
  }

  /** Reads a run; with `freshness`, its process is looked at only when so many milliseconds have gone by. */
  async #look(reader: RunReader, freshness = 0): Promise<void> {
    const { id } = reader.run;
    try {
      await reader.refresh(freshness);
    } catch {
      // It was removed meanwhile, or is being made: a later look tells.
      return;
    }
    if (this.#isFirst) this.#told.set(id, reader.version);
    else if (this.#told.get(id) !== reader.version) this.#schedule(reader);
    if (reader.isActive) this.#attach(reader);
    else this.#detach(id);
  }

  /** Looks at a run and tells it, after a while in which more may happen. */
  #schedule(reader: RunReader): void {
    const { id } = reader.run;
    if (this.#timers.has(id) || this.#isClosed) return;
    const tell = () => {
      this.#timers.delete(id);
      if (this.#told.get(id) === reader.version || this.#isClosed) return;
      this.#told.set(id, reader.version);
      this.#events.changed(reader.toDetail());
    };
    const delay = Math.max(sendInterval, reader.taskCount / 10);
    this.#timers.set(
      id,
      setTimeout(() => void this.#look(reader, pollInterval).then(tell), delay),
    );
  }

  #attach(reader: RunReader): void {
    const { id, folder } = reader.run;
    if (this.#watchers.has(id) || this.#isClosed) return;
    const watcher = tryWatch(folder, () => this.#schedule(reader));
    if (watcher) this.#watchers.set(id, watcher);
  }

  #detach(id: string): void {
    this.#watchers.get(id)?.close();
    this.#watchers.delete(id);
  }

  #forget(id: string): void {
    this.#detach(id);
    this.#told.delete(id);
    this.#events.removed(id);
  }
}

/** Undefined where there are no inotify watches left, or no such folder yet: then the poll does it alone. */
function tryWatch(folder: string, onEvent: () => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, onEvent).on('error', () => {});
  } catch {
    return undefined;
  }
}
