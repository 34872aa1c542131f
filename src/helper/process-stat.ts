import { readFileSync } from 'node:fs';

/** From /proc/PID/stat (proc_pid_stat(5)). */
export interface ProcessStat {
  name: string;
  /** One letter: `Z` is a process that has ended and was not yet waited for. */
  state: string;
  parent: number;
  session: number;
  /** Device number of its terminal; 0 without one. */
  terminal: number;
  /** Clock ticks after the start of the machine, in decimal digits. */
  startTime: string;
}

/** Undefined where there is no such process. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name, in parentheses, may itself hold blanks and parentheses.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    session: Number(fields[3]),
    terminal: Number(fields[4]),
    startTime: fields[19] ?? '',
  };
}
