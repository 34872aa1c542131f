import { linkSync, readdirSync, readFileSync, readlinkSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { readProcessStat } from './process-stat.ts';

/** Which process runs a run, in words that also hold after a restart of the machine. Kept in `pid.N` of the run's folder. */
export interface RunProcess {
  pid: number;
  hostname: string;
  bootId: string;
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc_pid_stat(5)): another process of the same pid has another. */
  startTime: string;
  /** Processes in another one can't be seen, or are others. */
  pidNamespace: string;
}

/** `elsewhere`: on a machine whose processes can't be seen from here. */
export type Liveness = 'alive' | 'dead' | 'elsewhere';

export interface FoundProcess {
  process: RunProcess;
  liveness: Liveness;
}

/**
 * Makes this process the one that runs the run in `folder`; throws `run/busy` where another does. Each process of a run
 * takes the next number: link(2) makes sure that only one gets it, on file systems without locks too.
 */
export function claimRun(folder: string): void {
  const found = findClaim(folder);
  if (found && judge(folder, found.process) === 'alive') throw busy(found.process);
  const temporary = join(folder, `pid.${hostname()}.${process.pid}.new`);
  writeFileSync(temporary, JSON.stringify(describeProcess(process.pid)));
  try {
    linkSync(temporary, join(folder, `pid.${(found?.number ?? 0) + 1}`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw busy(findClaim(folder)?.process);
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

/** The newest process of the run in `folder`; undefined before the first has begun. */
export function findRunProcess(folder: string): FoundProcess | undefined {
  const found = findClaim(folder);
  return found && { process: found.process, liveness: findLiveness(found.process) };
}

/** Seconds without a heartbeat after which a run on another machine counts as dead. */
export const heartbeatLimit = 120;

/** True where a process works on the run in `folder`. On another machine its heartbeat decides. */
export function isRunAlive(folder: string): boolean {
  const found = findClaim(folder);
  return found !== undefined && judge(folder, found.process) === 'alive';
}

function judge(folder: string, runProcess: RunProcess): 'alive' | 'dead' {
  const liveness = findLiveness(runProcess);
  if (liveness !== 'elsewhere') return liveness;
  const beat = findModified(join(folder, 'heartbeat'));
  if (beat === undefined) return 'dead';
  return Math.abs(findNow(folder) - beat) < heartbeatLimit * 1000 ? 'alive' : 'dead';
}

/** The clock of the file server, which is the one that the heartbeat is stamped by. */
function findNow(folder: string): number {
  const probe = join(folder, `clock.${hostname()}.${process.pid}`);
  try {
    writeFileSync(probe, '.');
    return findModified(probe) ?? Date.now();
  } catch {
    return Date.now();
  } finally {
    try {
      unlinkSync(probe);
    } catch {
      // It was never made: the disk is full or read-only.
    }
  }
}

function findModified(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function findLiveness(runProcess: RunProcess): Liveness {
  if (runProcess.hostname !== hostname()) return 'elsewhere';
  if (runProcess.bootId !== readBootId()) return 'dead';
  if (runProcess.pidNamespace !== readPidNamespace()) return 'elsewhere';
  const stat = readProcessStat(runProcess.pid);
  return stat && stat.startTime === runProcess.startTime && !'ZX'.includes(stat.state) ? 'alive' : 'dead';
}

function findClaim(folder: string): { number: number; process: RunProcess } | undefined {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return undefined;
  }
  const numbers = names.flatMap(name => (/^pid\.\d+$/.test(name) ? Number(name.slice(4)) : []));
  if (numbers.length === 0) return undefined;
  const number = Math.max(...numbers);
  try {
    return { number, process: JSON.parse(readFileSync(join(folder, `pid.${number}`), 'utf8')) as RunProcess };
  } catch {
    return undefined;
  }
}

function describeProcess(pid: number): RunProcess {
  return {
    pid,
    hostname: hostname(),
    bootId: readBootId(),
    startTime: readProcessStat(pid)?.startTime ?? '',
    pidNamespace: readPidNamespace(),
  };
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // Kernels before 3.8 have no such link.
    return '';
  }
}

function busy(runProcess: RunProcess | undefined): Failure {
  const where = runProcess ? ` by process ${runProcess.pid} on ${runProcess.hostname}` : '';
  return new Failure('run/busy', `this run is already being run${where}`, { hint: 'Cancel it first, or let it end.' });
}
