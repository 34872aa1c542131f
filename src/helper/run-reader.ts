import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import type { LockFinding } from '#protocol/locks.ts';
import type { RunDetail, RunSummary, TaskSummary } from '#protocol/runs.ts';
import { parseJournalLines } from './journal-lines.ts';
import { addEvent, createFold, markInterrupted, type RunFold, toDetail, toSummary } from './run-fold.ts';
import { loadRequest, type RunFolder } from './run-folder.ts';
import { isRunAlive } from './run-process.ts';

/** A run whose process was spawned this many milliseconds ago may not have claimed it yet. */
const startLimit = 60_000;
const chunkSize = 4 * 1_048_576;

/** Reads one run from its folder, and later only what was added. Keeps nothing that is not on disk. */
export class RunReader {
  readonly run: RunFolder;
  #fold: RunFold | undefined;
  #hasRequest = false;
  #offset = 0;
  #isDead = false;
  #checked = 0;
  #progressText = '';
  #locks: LockFinding[] | undefined;
  #pending: Promise<void> | undefined;

  constructor(run: RunFolder) {
    this.run = run;
  }

  /** Reads what is new. `freshness`: milliseconds for which the process counts as still alive. */
  refresh(freshness = 0): Promise<void> {
    this.#pending ??= this.#refresh(freshness).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** True where the run may still change by itself. */
  get isActive(): boolean {
    return !this.#isDead && (this.#fold?.state === 'running' || this.#fold?.state === 'starting');
  }

  /** Differs where anything that a person sees of the run is another. */
  get stamp(): string {
    return `${this.#offset} ${this.#hasRequest} ${this.#fold?.state} ${this.isActive ? this.#progressText : this.#isDead}`;
  }

  /** How much of the journal was read, in bytes. */
  get size(): number {
    return this.#offset;
  }

  get taskCount(): number {
    return this.#fold?.tasks.size ?? 0;
  }

  findTask(id: string): TaskSummary | undefined {
    return this.#view().tasks.get(id);
  }

  toSummary(): RunSummary {
    return toSummary(this.run.id, this.run.folder, this.#view());
  }

  toDetail(): RunDetail {
    const detail = toDetail(this.run.id, this.run.folder, this.#view());
    const progress = this.isActive ? parseJson<RunDetail['progress']>(this.#progressText) : undefined;
    return { ...detail, progress, locks: this.#locks };
  }

  async #refresh(freshness: number): Promise<void> {
    let changed = await this.#prepare();
    changed = (await this.#readJournal()) || changed;
    if (changed) this.#locks ??= await readJson<LockFinding[]>(this.run.locks);
    const wasDead = this.#isDead;
    const { state } = this.#ready();
    if (state !== 'running' && state !== 'starting') this.#isDead = false;
    else if (changed || wasDead || Date.now() - this.#checked >= freshness) {
      this.#checked = Date.now();
      this.#isDead = !this.#mayBeAlive();
      // It may have written its end just before it went.
      if (this.#isDead && !wasDead) await this.#readJournal();
    }
    if (this.isActive) this.#progressText = await readFile(this.run.progress, 'utf8').catch(() => '');
  }

  /** Learns label and output folder from the request, for as long as the journal has not told them. */
  async #prepare(): Promise<boolean> {
    if (this.#hasRequest) return false;
    const [request, { birthtime, mtime }] = await Promise.all([loadRequest(this.run), stat(this.run.folder)]);
    // Some file systems tell no birth time.
    const made = birthtime.getTime() > 0 && birthtime < mtime ? birthtime : mtime;
    this.#fold ??= createFold(this.run.id, this.run.out, made.toISOString());
    if (!request) return this.#offset === 0;
    this.#hasRequest = true;
    if (this.#fold.state === 'starting') {
      this.#fold.label = request.label;
      this.#fold.outdir = request.outdir ?? this.run.out;
    }
    return true;
  }

  async #readJournal(): Promise<boolean> {
    let file: FileHandle;
    try {
      file = await open(this.run.journal, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && this.#offset === 0) return false;
      throw error;
    }
    try {
      const before = this.#offset;
      for (let rest = (await file.stat()).size - this.#offset, size = chunkSize; rest > 0; ) {
        const buffer = Buffer.alloc(Math.min(rest, size));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#offset);
        const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
        // The last line is unfinished, or longer than the chunk.
        if (end === 0 && (bytesRead < buffer.length || buffer.length === rest)) break;
        if (end === 0) size *= 2;
        const lines = buffer.toString('utf8', 0, end).split('\n');
        for (const event of parseJournalLines(lines)) addEvent(this.#ready(), event);
        this.#offset += end;
        rest -= end;
      }
      return this.#offset > before;
    } finally {
      await file.close();
    }
  }

  #mayBeAlive(): boolean {
    if (isRunAlive(this.run.folder)) return true;
    const { state, started } = this.#ready();
    return state === 'starting' && Date.now() - Date.parse(started) < startLimit;
  }

  #view(): RunFold {
    const fold = this.#ready();
    if (!this.#isDead) return fold;
    const view = { ...fold, tasks: new Map(fold.tasks) };
    markInterrupted(view);
    return view;
  }

  #ready(): RunFold {
    if (!this.#fold) throw new Error(`run ${this.run.id} is used before it was read`);
    return this.#fold;
  }
}

async function readJson<T>(path: string): Promise<T | undefined> {
  return parseJson<T>(await readFile(path, 'utf8').catch(() => ''));
}

function parseJson<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
