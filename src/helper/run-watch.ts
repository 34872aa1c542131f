import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { RunDetail } from '#protocol/runs.ts';
import type { RunCatalog } from './run-catalog.ts';
import type { RunFolder } from './run-folder.ts';

/** Milliseconds between looks at runs that go on: shared file systems tell no events of other machines. */
const pollInterval = 2_000;
/** The least time between two messages about one run, in milliseconds; large runs are told more seldom. */
const sendInterval = 200;

/** Looks at all runs after the folder of runs has changed: two changes may bear the same time. */
const settling = 3;

export interface RunWatchEvents {
  changed(detail: RunDetail): void;
  removed(id: string): void;
}

/**
 * Watches the runs of a home until `signal` aborts, and tells what changes after its first look, which has been taken
 * when the promise is fulfilled. Ended runs cost nothing: only when the folder of runs changes (a new run, a removed one,
 * or one that is resumed, which touches it) are all looked at.
 */
export async function watchRuns(catalog: RunCatalog, events: RunWatchEvents, signal: AbortSignal): Promise<void> {
  const watch = new RunWatch(catalog, events);
  signal.addEventListener('abort', () => watch.close());
  await watch.firstLook;
}

class RunWatch {
  readonly #catalog: RunCatalog;
  readonly #events: RunWatchEvents;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Runs that may change by themselves. */
  readonly #active = new Set<string>();
  /** The stamp of each run that was told. */
  readonly #told = new Map<string, string>();
  readonly #poller: NodeJS.Timeout;
  readonly #folderWatcher: FSWatcher | undefined;
  #folderModified = -1;
  #scansLeft = 0;
  #isFirst = true;
  readonly firstLook: Promise<void>;
  #isPolling = false;
  /** Something has happened since the poll that goes on has begun. */
  #isPollDue = false;
  #isClosed = false;

  constructor(catalog: RunCatalog, events: RunWatchEvents) {
    this.#catalog = catalog;
    this.#events = events;
    this.#poller = setInterval(() => void this.#poll(), pollInterval);
    this.#folderWatcher = tryWatch(catalog.home.runs, () => void this.#poll());
    this.firstLook = this.#poll();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poller);
    this.#folderWatcher?.close();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const id of [...this.#active]) this.#detach(id);
  }

  async #poll(): Promise<void> {
    this.#isPollDue = true;
    if (this.#isPolling) return;
    this.#isPolling = true;
    while (this.#isPollDue && !this.#isClosed) {
      this.#isPollDue = false;
      await this.#pollOnce();
    }
    this.#isPolling = false;
  }

  async #pollOnce(): Promise<void> {
    const modified = (await stat(this.#catalog.home.runs).catch(() => undefined))?.mtimeMs ?? 0;
    if (modified !== this.#folderModified) this.#scansLeft = settling;
    this.#folderModified = modified;
    if (this.#scansLeft === 0) {
      for (const id of this.#active) await this.#look(id);
    } else {
      this.#scansLeft--;
      const ids = await this.#catalog.scan();
      for (const id of this.#told.keys()) if (!ids.includes(id)) this.#forget(id);
      for (const id of ids) await this.#look(id);
      this.#isFirst = false;
    }
  }

  /** Reads a run; with `freshness`, its process is looked at only when so many milliseconds have gone by. */
  async #look(id: string, freshness = 0): Promise<void> {
    const reader = await this.#catalog.look(id, freshness);
    if (!reader || this.#isClosed) return;
    if (this.#isFirst) this.#told.set(id, reader.stamp);
    else if (this.#told.get(id) !== reader.stamp) this.#schedule(id, reader.taskCount);
    if (reader.isActive) this.#attach(reader.run);
    else this.#detach(id);
  }

  /** Looks at a run and tells it, after a while in which more may happen. */
  #schedule(id: string, taskCount: number): void {
    if (this.#timers.has(id) || this.#isClosed) return;
    const tell = async () => {
      const reader = await this.#catalog.find(id).catch(() => undefined);
      this.#timers.delete(id);
      if (!reader || this.#isClosed || this.#told.get(id) === reader.stamp) return;
      this.#told.set(id, reader.stamp);
      this.#events.changed(reader.toDetail());
      await this.#look(id, pollInterval);
    };
    const delay = Math.max(sendInterval, taskCount / 10);
    this.#timers.set(
      id,
      setTimeout(() => void tell(), delay),
    );
  }

  #attach(run: RunFolder): void {
    if (this.#active.has(run.id)) return;
    this.#active.add(run.id);
    const watcher = tryWatch(run.folder, () => this.#schedule(run.id, 0));
    if (watcher) this.#watchers.set(run.id, watcher);
    // What was written between the look and the watch.
    this.#schedule(run.id, 0);
  }

  #detach(id: string): void {
    this.#active.delete(id);
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
