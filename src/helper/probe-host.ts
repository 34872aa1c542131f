import { readFile } from 'node:fs/promises';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { explainNode } from '#engine/node-settings.ts';
import type { NodeReport, ProbeReport } from '#protocol/probe.ts';
import { chooseByDefault, findReport, type SelectOptions, testClient } from './engines.ts';
import { findHome } from './home.ts';
import { findJob } from './node-class.ts';
import { type NodeReport as KeptReport, listReports } from './self-test-cache.ts';

/** Looks at this host and runs the engines' self-tests, or takes them from the cache of this class of nodes. */
export async function probeHost(options: SelectOptions & { client?: string } = {}): Promise<ProbeReport> {
  const [report, os] = await Promise.all([findReport(options), readSystemName()]);
  const asked = options.client === undefined ? undefined : await testClient(options.client, options);
  const node = toNodeReport(report);
  const job = findJob();
  return {
    ...node,
    inside: job && `${job.kind} ${job.number}`,
    isRemembered: node.best !== undefined && !report.settings.isFiltered,
    os,
    kernel: release(),
    arch: arch() === 'arm64' ? 'arm64' : 'x64',
    libc: findLibc(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    engines: [...node.engines, ...(asked?.tested ?? [])],
    // What was asked for, or else what is taken by itself.
    best: asked !== undefined ? asked.engine?.name : node.best,
  };
}

/** What is known of the classes of nodes on which the helper has run, newest first. */
export function listNodes(): NodeReport[] {
  return listReports(join(findHome().folder, 'probe')).map(toNodeReport);
}

function toNodeReport(report: KeptReport): NodeReport {
  const { hostname: name, className, tested, job, engines, settings } = report;
  const best = chooseByDefault(engines);
  return { hostname: name, className, tested, job, engines, best, findings: explainNode(settings, report) };
}

/** os-release(5); older systems have only a file of one line. */
async function readSystemName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1];
  return name ?? ((await readFile('/etc/redhat-release', 'utf8').catch(() => '')).trim() || 'unknown');
}

/** Of this Node, which may be the kit's own and not the host's. */
function findLibc(): string {
  const header = (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header;
  return header?.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : 'unknown';
}
