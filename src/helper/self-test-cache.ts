import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeSettings } from '#engine/node-settings.ts';
import { listNames } from './quiet-files.ts';
import type { SelfTestReport } from './self-test.ts';

/** What was found out about a class of nodes, and where and when. */
export interface NodeReport extends SelfTestReport {
  hostname: string;
  /** `cn#`. */
  className: string;
  /** ISO 8601. */
  tested: string;
  /** `Slurm job 1234`: what it was tested in. */
  job?: string;
  settings: NodeSettings;
}

/** How long a report is believed, milliseconds: administrators change settings, and nodes are installed anew. */
const lifetime = 24 * 60 * 60 * 1000;
/** How long it is shown. */
const memory = 30 * lifetime;

/** The report of an earlier self-test on a node of this class; undefined where there is none that still holds. */
export function readReport(folder: string, id: string): NodeReport | undefined {
  return read(toPath(folder, id), lifetime);
}

/**
 * What is known of all classes of nodes on which the helper was used, newest first. Of those that look the same to a person,
 * such as one class before and after a new kit, only the newest.
 */
export function listReports(folder: string): NodeReport[] {
  const reports = listNames(folder)
    .filter(name => name.endsWith('.json'))
    .flatMap(name => read(join(folder, name), memory) ?? [])
    .sort((a, b) => (a.tested < b.tested ? 1 : -1));
  const known = new Map<string, NodeReport>();
  for (const report of reports) {
    const look = JSON.stringify([report.className, report.job?.replace(/ \S+$/, ''), report.settings]);
    if (!known.has(look)) known.set(look, report);
  }
  return [...known.values()];
}

/**
 * Keeps a report for the next time; without it the next time only takes longer, so failing is no failure. Nodes that share
 * the folder may do so at once: each writes a file of its own, and the last one to rename it wins.
 */
export function writeReport(folder: string, id: string, report: NodeReport): void {
  const path = toPath(folder, id);
  // Numbers of processes come again on other nodes.
  const temporary = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(temporary, JSON.stringify(report), { flag: 'wx' });
    renameSync(temporary, path);
    for (const name of listNames(folder)) removeOld(join(folder, name));
  } catch {
    // A read-only or full home.
    tryToRemove(temporary);
  }
}

function toPath(folder: string, id: string): string {
  return join(folder, `${id}.json`);
}

/** Undefined for what is too old, or nothing that this program has written. */
function read(path: string, age: number): NodeReport | undefined {
  try {
    if (Date.now() - statSync(path).mtimeMs > age) return undefined;
    const report = JSON.parse(readFileSync(path, 'utf8')) as NodeReport;
    const isWhole = Array.isArray(report.engines) && report.features !== undefined && report.settings !== undefined;
    return isWhole ? report : undefined;
  } catch {
    return undefined;
  }
}

/** What a node that broke down has left, and classes that there are no more. */
function removeOld(path: string): void {
  const limit = path.endsWith('.json') ? memory : path.endsWith('.new') ? lifetime : undefined;
  const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (limit !== undefined && modified !== undefined && Date.now() - modified > limit) tryToRemove(path);
}

function tryToRemove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another has, or nobody can.
  }
}
