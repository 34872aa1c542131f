import { readFile } from 'node:fs/promises';
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import type { ProbeReport } from '#protocol/probe.ts';
import { findReport, type SelectOptions, testClient } from './engines.ts';

/** Looks at this host and runs the engines' self-tests, or takes them from the cache of this class of nodes. */
export async function probeHost(options: SelectOptions & { client?: string } = {}): Promise<ProbeReport> {
  const [report, os] = await Promise.all([findReport(options), readSystemName()]);
  const asked = options.client === undefined ? undefined : await testClient(options.client, options);
  return {
    hostname: hostname(),
    os,
    kernel: release(),
    arch: arch() === 'arm64' ? 'arm64' : 'x64',
    libc: findLibc(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    engines: [...report.engines, ...(asked?.tested ?? [])],
    // What was asked for, or else what is taken by itself.
    best: asked !== undefined ? asked.engine?.name : report.engines.find(each => each.works)?.engine,
  };
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
