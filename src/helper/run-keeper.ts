import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Progress } from '#base/log.ts';
import type { RunEvent } from '#runner/events.ts';
import { describeRunFolder } from './run-folder.ts';
import { claimRun } from './run-process.ts';

/** Held by the process of a run as long as it runs; tells others that it lives and how far it is. */
export interface RunKeeper {
  /** Shows the progress that an event tells, at most twice a second; other events are not its business. */
  report(event: RunEvent): void;
  close(): void;
}

/**
 * Claims the run in `folder` for this process (throws `run/busy` where another runs it), touches `heartbeat` every 10 s,
 * and calls `onCancel` when somebody on any machine has asked for the run to stop.
 */
export function keepRun(folder: string, onCancel: () => void): RunKeeper {
  const run = describeRunFolder('', folder);
  claimRun(folder);
  rmSync(run.cancel, { force: true });
  const beat = () => tryWrite(run.heartbeat, `${new Date().toISOString()}\n`);
  beat();
  let progress: Progress | undefined;
  let isCancelled = false;
  let timer: NodeJS.Timeout | undefined;
  const heartbeat = setInterval(beat, 10_000).unref();
  const question = setInterval(() => {
    if (isCancelled || !existsSync(run.cancel)) return;
    isCancelled = true;
    onCancel();
  }, 2_000).unref();

  const show = () => {
    timer = undefined;
    if (progress) {
      // Renamed into place: a reader sees a whole file.
      if (tryWrite(`${run.progress}.new`, JSON.stringify(progress))) renameSync(`${run.progress}.new`, run.progress);
    } else rmSync(run.progress, { force: true });
  };
  return {
    report(event) {
      if (event.type !== 'progress') return;
      progress = event.progress;
      timer ??= setTimeout(show, 500).unref();
    },
    close() {
      clearInterval(heartbeat);
      clearInterval(question);
      clearTimeout(timer);
      rmSync(run.progress, { force: true });
    },
  };
}

/** A full disk must not end the run from here: what matters will fail where it can be told. */
function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}
