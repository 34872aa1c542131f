import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#base/failure.ts';
import type { LockFinding } from '#protocol/locks.ts';
import type { RunRequest } from '#protocol/messages.ts';
import type { Home } from './home.ts';
import { checkLocks } from './lock-check.ts';
import { removeTree } from './remove-tree.ts';
import { makeRunFolder, type RunFolder } from './run-folder.ts';
import { endOrphans } from './run-orphans.ts';
import { isRunAlive } from './run-process.ts';
import { RunReader } from './run-reader.ts';
import { layOutSources } from './sources.ts';

/** Milliseconds to wait for a sign of life; on a slow file system the run is then left to itself, as `starting`. */
const patience = 20_000;

/**
 * Starts a run that lives on by itself and answers once its process has begun. Throws `run/not-started` with what it said
 * where it ended before, and leaves nothing then.
 */
export async function startRun(home: Home, request: RunRequest): Promise<{ run: RunFolder; locks: LockFinding[] }> {
  if (request.outdir !== undefined && !isAbsolute(request.outdir)) {
    throw new Failure('helper/bad-request', `the output folder ${request.outdir} is not an absolute path`);
  }
  const run = await makeRunFolder(home).catch(error => {
    throw new Failure('helper/not-writable', `${home.runs} can't be written`, {
      cause: error,
      hint: 'Free some space or quota there, or set CWL_ON_CLUSTERS_HOME to another folder.',
    });
  });
  try {
    await layOutSources(home, request.sources, run.source, request.folders);
    const outdir = request.outdir ?? run.out;
    const findings = await checkLocks([outdir, run.folder, request.options?.imageStore ?? home.images]);
    const locks = findings.filter(finding => finding.severity === 'warning');
    await writeFile(run.locks, JSON.stringify(locks));
    await writeFile(`${run.request}.new`, JSON.stringify({ ...request, outdir }));
    await rename(`${run.request}.new`, run.request);
    await launchRun(home, run, false);
    return { run, locks };
  } catch (error) {
    await removeTree(run.folder);
    throw error;
  }
}

/** Goes on after the last finished step; throws `run/busy` while the run is running, `run/ended` after a success. */
export async function resumeRun(home: Home, run: RunFolder): Promise<void> {
  if (isRunAlive(run.folder)) {
    throw new Failure('run/busy', 'this run is still running', { hint: 'Cancel it first, or let it end.' });
  }
  const reader = new RunReader(run);
  await reader.refresh();
  if (reader.toSummary().state === 'success') {
    throw new Failure('run/ended', 'this run has ended well: there is nothing to go on with', {
      hint: 'Start a new run to do it again.',
    });
  }
  endOrphans(run);
  await rm(run.cancel, { force: true });
  await launchRun(home, run, true);
  // Whoever watches the runs, on whatever machine, looks at all of them when their folder has changed.
  const now = new Date();
  await utimes(home.runs, now, now).catch(() => {});
}

async function launchRun(home: Home, run: RunFolder, isResumed: boolean): Promise<void> {
  const journalSize = await sizeOf(run.journal);
  const logSize = await sizeOf(run.log);
  const log = openSync(run.log, 'a', 0o600);
  const args = [...process.execArgv, process.argv[1] ?? '', 'run', '--run-folder', run.folder];
  const child = spawn(process.execPath, isResumed ? [...args, '--resume'] : args, {
    cwd: run.folder,
    // The home may have been given as a relative path.
    env: { ...process.env, CWL_ON_CLUSTERS_HOME: home.folder },
    // A session of its own: it has no terminal, and signals for the connection's processes don't reach it.
    detached: true,
    stdio: ['ignore', 'ignore', log],
  });
  closeSync(log);
  const ended = new Promise<string>(resolve => {
    child.on('error', error => resolve(error.message));
    child.on('exit', (code, signal) => resolve(signal ? `it was ended by ${signal}` : `it ended with ${code}`));
  });
  child.unref();
  for (const until = Date.now() + patience; Date.now() < until; ) {
    const end = await Promise.race([ended, sleep(25)]);
    if ((await sizeOf(run.journal)) > journalSize) return;
    if (end !== undefined) throw notStarted(run, logSize, end);
  }
}

function notStarted(run: RunFolder, logSize: number, end: string): Failure {
  let said = '';
  try {
    said = readFileSync(run.log).subarray(logSize).toString('utf8').trim();
  } catch {
    // Then what is known is how it ended.
  }
  // The paths of the user's documents are told as the user knows them.
  const text = said.slice(-8000).replaceAll(`file://${run.source}/`, '').replaceAll(`${run.source}/`, '');
  return new Failure('run/not-started', text || `the process of the run could not start: ${end}`);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
