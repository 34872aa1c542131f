import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { listEndCommands } from '#runner/task-sandboxes.ts';
import { type ProcessStat, readProcessStat } from './process-stat.ts';
import type { RunFolder } from './run-folder.ts';

/** How long a client of containers may take to end one, milliseconds. */
const patience = 30_000;

/**
 * Ends what a run's process has left running on this machine when it was killed: processes that work in the folder of a
 * task, or that name it on their command line, as the engines do, and their containers. Not a person's: those with a terminal, those of a
 * session that sshd has begun, and whoever called this.
 */
export function endOrphans(run: RunFolder): void {
  for (const [file = '', ...args] of listEndCommands(run.folder)) {
    // It fails where the container is gone already.
    spawnSync(file, args, { stdio: 'ignore', timeout: patience, killSignal: 'SIGKILL' });
  }
  const callers = findCallers();
  const folders = [`${run.folder}/tasks/`, `${findRealPath(run.folder)}/tasks/`];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || callers.has(pid) || !belongsTo(folders, pid)) continue;
    const stat = readProcessStat(pid);
    if (stat?.terminal !== 0 || isOfLogin(stat)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

/** This process and those above it. */
function findCallers(): Set<number> {
  const callers = new Set<number>();
  for (let pid = process.pid; pid > 0 && !callers.has(pid); pid = readProcessStat(pid)?.parent ?? 0) callers.add(pid);
  return callers;
}

function belongsTo(folders: readonly string[], pid: number): boolean {
  try {
    const cwd = `${readlinkSync(`/proc/${pid}/cwd`)}/`;
    if (folders.some(folder => cwd.startsWith(folder))) return true;
    // An engine's argument is the folder of a task, or a bind that begins with it.
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return words.some(word => folders.some(folder => word.includes(folder)));
  } catch {
    // Another user's process, or one that has ended.
    return false;
  }
}

/** It may be a link to the file system of the outputs. */
function findRealPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function isOfLogin(stat: ProcessStat): boolean {
  const leader = readProcessStat(stat.session);
  return leader !== undefined && /^sshd/.test(readProcessStat(leader.parent)?.name ?? '');
}
