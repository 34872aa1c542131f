import { appendFile, open, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#base/failure.ts';
import type { RunEvent } from '#runner/events.ts';
import type { Home } from './home.ts';
import { removeTree } from './remove-tree.ts';
import type { RunFolder } from './run-folder.ts';
import { endOrphans } from './run-orphans.ts';
import { findRunProcess, isRunAlive } from './run-process.ts';
import { RunReader } from './run-reader.ts';

/** Seconds that a run has to end its tools by itself. */
const patience = 20;

/**
 * Ends a run and returns once it has ended. On this machine its process gets SIGTERM, and SIGKILL with all its children
 * after 20 s; on another one it finds the file `cancel`. Where the process is gone, the journal is told that the run is
 * cancelled. A run that has ended stays as it is.
 */
export async function cancelRun(run: RunFolder): Promise<void> {
  const reader = new RunReader(run);
  await reader.refresh();
  const { state } = reader.toSummary();
  if (state !== 'running' && state !== 'starting' && state !== 'interrupted') return;
  for (let second = 0; second < patience && isRunAlive(run.folder); second++) {
    if (second % 5 === 0) await askToEnd(run);
    for (let part = 0; part < 10 && isRunAlive(run.folder); part++) await sleep(100);
  }
  if (isRunAlive(run.folder)) killRun(run);
  endOrphans(run);
  await reader.refresh();
  if (!['success', 'failure', 'cancelled'].includes(reader.toSummary().state)) await markCancelled(run);
}

/** Removes the run's own folder; throws `run/busy` while it runs. */
export async function removeRun(home: Home, run: RunFolder): Promise<void> {
  await waitForProcess(run);
  if (isRunAlive(run.folder)) {
    throw new Failure('run/busy', 'a running run can not be removed', { hint: 'Cancel it first.' });
  }
  // From here on nobody finds it, however long the removal takes. A dot can't be part of a run's id.
  const gone = join(home.runs, `.removed.${run.id}`);
  await rename(run.folder, gone);
  await removeRunFolder(gone);
}

/** The process of a run that has ended needs a moment to end itself. */
async function waitForProcess(run: RunFolder): Promise<void> {
  const reader = new RunReader(run);
  await reader.refresh();
  if (!['success', 'failure', 'cancelled'].includes(reader.toSummary().state)) return;
  for (let part = 0; part < 50 && isRunAlive(run.folder); part++) await sleep(100);
}

/** Also where the folder is a link to one on the file system of the outputs. */
export async function removeRunFolder(folder: string, options: { alone?: boolean } = {}): Promise<void> {
  const real = await realpath(folder).catch(() => folder);
  await removeTree(real, options);
  if (real !== folder) await rm(folder, { force: true, recursive: true });
}

async function askToEnd(run: RunFolder): Promise<void> {
  await writeFile(run.cancel, '').catch(() => {});
  const found = findRunProcess(run.folder);
  if (found?.liveness === 'alive') signal(found.process.pid, 'SIGTERM');
}

function killRun(run: RunFolder): void {
  const found = findRunProcess(run.folder);
  if (found?.liveness === 'elsewhere') {
    throw new Failure('run/elsewhere', `the run on ${found.process.hostname} does not answer`, {
      hint: `Log in to ${found.process.hostname} and end process ${found.process.pid} there.`,
    });
  }
  // It leads a process group when `serve` has started it.
  if (found?.liveness === 'alive' && !signal(-found.process.pid, 'SIGKILL')) signal(found.process.pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

async function markCancelled(run: RunFolder): Promise<void> {
  const end: RunEvent = {
    type: 'run-ended',
    time: new Date().toISOString(),
    state: 'cancelled',
    message: 'Cancelled when its process was gone already.',
  };
  const isTorn = !(await endsWithNewline(run.journal));
  await appendFile(run.journal, `${isTorn ? '\n' : ''}${JSON.stringify(end)}\n`);
}

async function endsWithNewline(path: string): Promise<boolean> {
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    if (size === 0) return true;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] === 0x0a;
  } finally {
    await file.close();
  }
}
