import type { ProbeReport } from '#protocol/probe.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { probeHost } from './probe-host.ts';

/** `probe [--fresh] [--json]`: exit status 1 where no sandbox works. */
export const probe: HelperCommand = async ({ args, stdout }) => {
  const wrong = args.find(arg => !['--json', '--fresh'].includes(arg));
  if (wrong !== undefined) throw usageFailure(`probe does not take ${wrong}`);
  const report = await probeHost({ fresh: args.includes('--fresh') });
  stdout(args.includes('--json') ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  return report.best === undefined ? 1 : 0;
};

function formatReport(report: ProbeReport): string {
  const { hostname, os, kernel, arch, cores, memoryBytes } = report;
  const engines = report.engines.map(each => `${each.works ? 'yes' : 'no '}  ${each.engine}: ${each.message}\n`);
  return [
    `${hostname}: ${os}, Linux ${kernel} (${arch}), ${cores} processors, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB\n`,
    ...engines,
    report.best === undefined ? 'No sandbox works here.\n' : `Tools with an image run with: ${report.best}\n`,
  ].join('');
}
