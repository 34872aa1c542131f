import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Home } from './home.ts';

/** Runs whose logs are kept without anybody having asked. */
const keptRuns = 100;

/** Where the logs of a run go by default; those of the oldest runs are removed. */
export function openLogFolder(home: Home, run: string): string {
  mkdirSync(home.logs, { recursive: true, mode: 0o700 });
  const names = readdirSync(home.logs).sort();
  for (const name of names.slice(0, Math.max(0, names.length - keptRuns + 1))) {
    rmSync(join(home.logs, name), { recursive: true, force: true });
  }
  return join(home.logs, run);
}

/**
 * Copies what the tasks of a run wrote to their standard streams, and the run's journal, into `target`: `TASK.stdout`
 * and `TASK.stderr`. Empty ones are left out, and so is what became an output.
 */
export function keepLogs(runFolder: string, target: string): void {
  try {
    mkdirSync(target, { recursive: true });
    copyFileSync(join(runFolder, 'journal.jsonl'), join(target, 'journal.jsonl'));
    for (const task of readdirSync(join(runFolder, 'tasks'))) {
      for (const stream of ['stdout', 'stderr']) {
        const path = join(runFolder, 'tasks', task, stream);
        const found = statSync(path, { throwIfNoEntry: false });
        // A second name means that the stream went into a file of the tool's own.
        if (found && found.size > 0 && found.nlink === 1) copyFileSync(path, join(target, `${task}.${stream}`));
      }
    }
  } catch (error) {
    throw new Failure('helper/log-dir', `the logs could not be put into ${target}`, { cause: error });
  }
}
