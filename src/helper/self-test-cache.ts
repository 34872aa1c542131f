import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { arch, hostname, release, version } from 'node:os';
import { join } from 'node:path';
import type { Tools } from '#engine/sandbox.ts';
import type { SelfTestReport } from './self-test.ts';

/** How long a report is believed, milliseconds: administrators change settings, and nodes are installed anew. */
const lifetime = 24 * 60 * 60 * 1000;

/** The report of an earlier self-test on a node of this class; undefined where there is none that still holds. */
export function readReport(folder: string, tools: Tools): SelfTestReport | undefined {
  const path = toPath(folder, tools);
  try {
    if (Date.now() - statSync(path).mtimeMs > lifetime) return undefined;
    return JSON.parse(readFileSync(path, 'utf8')) as SelfTestReport;
  } catch {
    return undefined;
  }
}

/** Keeps a report for the next time; without it the next time only takes longer, so failing is no failure. */
export function writeReport(folder: string, tools: Tools, report: SelfTestReport): void {
  const path = toPath(folder, tools);
  try {
    mkdirSync(folder, { recursive: true });
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify(report));
    renameSync(temporary, path);
  } catch {
    // A read-only or full home.
  }
}

/** Nodes that differ only in the numbers of their names, with one kernel and one kit, are of one class. */
function toPath(folder: string, tools: Tools): string {
  const name = hostname().replaceAll(/\d+/g, '#');
  const launcher = statSync(tools.launcher, { throwIfNoEntry: false });
  const parts = [
    release(),
    version(),
    arch(),
    name,
    process.getuid?.(),
    tools.launcher,
    launcher?.mtimeMs,
    launcher?.size,
  ];
  return join(folder, `${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)}.json`);
}
