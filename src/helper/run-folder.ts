import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { RunRequest } from '#protocol/messages.ts';
import type { Home } from './home.ts';

/** The files of a run: `runs/ID` below the home. */
export interface RunFolder {
  id: string;
  folder: string;
  request: string;
  source: string;
  journal: string;
  log: string;
  progress: string;
  heartbeat: string;
  locks: string;
  /** Its presence asks the run's process, on whatever machine, to stop. */
  cancel: string;
  /** The default output folder. */
  out: string;
}

/** The folder of run `id`, whether or not it exists; an id that could lead elsewhere is refused with `run/unknown`. */
export function toRunFolder(home: Home, id: string): RunFolder {
  if (!isRunId(id)) throw new Failure('run/unknown', `there is no run ${JSON.stringify(id.slice(0, 100))}`);
  return describeRunFolder(id, join(home.runs, id));
}

export function describeRunFolder(id: string, folder: string): RunFolder {
  return {
    id,
    folder,
    request: join(folder, 'request.json'),
    source: join(folder, 'source'),
    journal: join(folder, 'journal.jsonl'),
    log: join(folder, 'log'),
    progress: join(folder, 'progress.json'),
    heartbeat: join(folder, 'heartbeat'),
    locks: join(folder, 'locks.json'),
    cancel: join(folder, 'cancel'),
    out: join(folder, 'out'),
  };
}

export function isRunId(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(name);
}

/** Makes an empty folder for a new run. Its id sorts by time and can't be guessed. */
export async function makeRunFolder(home: Home, now = new Date()): Promise<RunFolder> {
  await mkdir(home.runs, { recursive: true, mode: 0o700 });
  const time = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const run = toRunFolder(home, `${time}-${randomBytes(5).toString('hex')}`);
  await mkdir(run.folder, { mode: 0o700 });
  return run;
}

/** What the run was asked to do; undefined where the folder holds no request (yet). */
export async function loadRequest(run: RunFolder): Promise<RunRequest | undefined> {
  try {
    return JSON.parse(await readFile(run.request, 'utf8')) as RunRequest;
  } catch {
    return undefined;
  }
}
