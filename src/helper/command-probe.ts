import { hostname as localName } from 'node:os';
import type { EngineReport, ProbeReport } from '#protocol/probe.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { clientPrograms } from './container-client.ts';
import { probeHost } from './probe-host.ts';

/**
 * `probe [--fresh] [--json] [--engine docker|podman|apptainer|singularity|fakechroot [--docker-command CMD]]`: exit status 1 where no sandbox works, or not
 * that one.
 */
export const probe: HelperCommand = async ({ args, stdout }) => {
  const options = parseProbe(args);
  const report = await probeHost(options);
  stdout(options.isJson ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, options.client));
  return report.best === undefined ? 1 : 0;
};

function parseProbe(args: readonly string[]) {
  const options: { fresh: boolean; isJson: boolean; client?: string; dockerCommand?: string } = {
    fresh: false,
    isJson: false,
  };
  for (let at = 0; at < args.length; at++) {
    const [, name = '', inline] = /^([^=]*)(?:=(.*))?$/s.exec(args[at] as string) ?? [];
    if (name === '--json') options.isJson = true;
    else if (name === '--fresh') options.fresh = true;
    else if (name === '--engine' || name === '--docker-command') {
      const value = inline ?? args[++at];
      if (value === undefined) throw usageFailure(`${name} needs a value`);
      if (name === '--docker-command') options.dockerCommand = value;
      else options.client = value;
    } else throw usageFailure(`probe does not take ${args[at]}`);
  }
  const { client } = options;
  if (client !== undefined && !Object.hasOwn(clientPrograms, client)) {
    throw usageFailure(
      `probe --engine takes ${Object.keys(clientPrograms).join(', ')}, not ${client}`,
      'All others are tested in any case.',
    );
  }
  if (options.dockerCommand !== undefined) options.client ??= 'docker';
  return options;
}

function formatReport(report: ProbeReport, asked: string | undefined): string {
  const { hostname, os, kernel, arch, cores, memoryBytes, inside, tested, className } = report;
  const size = `${cores} processors, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB`;
  const findings = report.findings.map(
    ({ what, isGood, message }) => `${isGood ? 'good' : 'poor'}  ${what}: ${message}\n`,
  );
  return [
    `${localName()}: ${os}, Linux ${kernel} (${arch}), ${size}${inside === undefined ? '' : `, in a ${inside}`}\n`,
    report.best === undefined
      ? asked === undefined
        ? 'No sandbox works here, so only tools that need no image can be run (--engine host). What is missing, and the cures:\n'
        : `The engine ${asked} does not work here.\n`
      : `Tools with an image run with: ${report.best}${speeds[report.best] ?? ''}\n`,
    '\nWhat this node offers:\n',
    ...findings,
    '\nSandboxes, the fastest first:\n',
    ...formatEngines(report.engines),
    `\nTested ${tested} on ${hostname}`,
    report.isRemembered
      ? `, and for a day believed of all nodes ${className} with the same settings (--fresh tests again).\n`
      : '.\n',
  ].join('');
}

const speeds: Record<string, string> = {
  userns: ' (user namespaces), at the speed of this node',
  proot: ' (PRoot): as fast as the node where they compute, slower where they open very many files',
  'proot-new-order': ' (PRoot): as fast as the node where they compute, slower where they open very many files',
  'proot-slow': ' (PRoot without acceleration): slow where they read or write in small pieces',
};

/** Forms of one engine that fail alike are told of once. */
function formatEngines(engines: readonly EngineReport[]): string[] {
  const lines = new Map<string, { names: string[]; works: boolean }>();
  for (const { engine, works, message } of engines) {
    const said = message.startsWith(`${engine}: `) ? message.slice(engine.length + 2) : message;
    const known = lines.get(said);
    if (known) known.names.push(engine);
    else lines.set(said, { names: [engine], works });
  }
  return [...lines].map(([said, { names, works }]) => `${works ? 'yes' : 'no '}  ${names.join(', ')}: ${said}\n`);
}
