import type { HelperCommand } from './command-line.ts';

/** One command of the helper: what `--help` says of it, and where its code is; loaded only when it is asked for. */
export interface CommandEntry {
  name: string;
  /** What follows the name. */
  usage: string;
  summary: string;
  load(): Promise<HelperCommand>;
}

/** The helper's commands, in the order in which `--help` lists them. */
export const commands: CommandEntry[] = [
  {
    name: 'run',
    usage:
      '[--outdir DIR] [--quiet] [--engine NAME] [--docker-command CMD] [--no-container] [--default-container IMAGE] [--image-store DIR]\n' +
      '           [--mirror HOST=URL]... [--pull missing|always|never] [--parallel N] [--cores N] [--ram MIB]\n' +
      '           [--on-error stop|continue|kill] [--tmpdir-prefix PREFIX] [--keep] [--log-dir DIR] [--cache-dir DIR]\n' +
      '           [--timestamps] [--target NAME]... [--single-step STEP] [--single-process STEP] [--print-targets]\n' +
      '           [--move-outputs|--copy-outputs|--leave-outputs] [--no-compute-checksum] [--write-summary FILE]\n' +
      '           [--basedir DIR] [--overrides FILE]... [--preserve-environment NAME]... [--preserve-entire-environment]\n' +
      '           [--eval-timeout SECONDS] [--lenient] [--enable-dev] [--tool-help] TOOL [INPUTS] [--INPUT VALUE]...',
    summary: 'run a tool or a workflow; the output object on standard output (0: success, 33: not supported)',
    load: async () => (await import('./command-run.ts')).run,
  },
  {
    name: 'validate',
    usage: '[--strict|--lenient] [--enable-dev] TOOL [INPUTS]',
    summary: 'every problem of a document, and of the inputs for it, with its place',
    load: async () => (await import('./command-validate.ts')).validate,
  },
  {
    name: 'inputs',
    usage: 'TOOL',
    summary: 'a template of the input object, to fill in',
    load: async () => (await import('./command-inputs.ts')).inputs,
  },
  {
    name: 'graph',
    usage: 'TOOL',
    summary: 'the steps of a workflow and their links, in the DOT language',
    load: async () => (await import('./command-graph.ts')).graph,
  },
  {
    name: 'pack',
    usage: '[--enable-dev] TOOL',
    summary: 'the document and all that it runs and imports, as one',
    load: async () => (await import('./command-pack.ts')).pack,
  },
  {
    name: 'dependencies',
    usage: '[--json] TOOL [INPUTS]',
    summary: 'the documents, files and images that a run needs',
    load: async () => (await import('./command-dependencies.ts')).dependencies,
  },
  {
    name: 'image',
    usage:
      'build [-f FILE] [-t NAME]... [--build-arg NAME=VALUE]... [--target STAGE] [--secret id=ID,src=FILE]...\n' +
      '           [--ssh default] [--build-context NAME=PLACE]... [--label NAME=VALUE]... [--network none] [--no-cache]\n' +
      '           [--platform OS/ARCH] [--pull missing|always|never] [-q] [--iidfile FILE] FOLDER\n' +
      '      | pull REFERENCE... | load ARCHIVE|-... | import TAR|-... | list | inspect IMAGE... | remove IMAGE... | prune [--all] | share |\n' +
      '           form [auto|files|archive]\n' +
      '           [--image-store DIR] [--mirror HOST=URL]... [--platform OS/ARCH[/VARIANT]] [--name NAME] [--json]',
    summary: 'images as root file systems: bring them into the store, look at them, give the space back',
    load: async () => (await import('./command-image.ts')).image,
  },
  {
    name: 'runs',
    usage: 'list | show RUN... | cancel RUN... | resume RUN... | remove RUN...   [--json]',
    summary: 'runs that live by themselves: look at them, end them, go on with them',
    load: async () => (await import('./command-runs.ts')).runs,
  },
  {
    name: 'locks',
    usage: '[PATH...] [--try] [--json]',
    summary: 'what file locks are worth on the file systems of these paths',
    load: async () => (await import('./command-locks.ts')).locks,
  },
  {
    name: 'probe',
    usage: '[--fresh] [--json] [--engine NAME] [--docker-command CMD]',
    summary: 'what this host is, and which sandboxes work on it',
    load: async () => (await import('./command-probe.ts')).probe,
  },
  {
    name: 'shell',
    usage: '[--docker-command CMD] RUN STEP [-- COMMAND...]',
    summary: 'a shell, or a command, in the sandbox of a step',
    load: async () => (await import('./command-shell.ts')).shell,
  },
  {
    name: 'docker',
    usage:
      '[--engine NAME] [--docker-command CMD] [--image-store DIR] [--mirror HOST=URL]... run [OPTIONS] IMAGE [COMMAND]... | pull IMAGE |\n' +
      '           build [OPTIONS] FOLDER | load [-i FILE] | import FILE NAME | images [-q] [--format TEMPLATE] | inspect [--format TEMPLATE] IMAGE... | rmi IMAGE... | version',
    summary: 'the part of `docker` that other programs call, such as cwltool --user-space-docker-cmd',
    load: async () => (await import('./command-docker.ts')).docker,
  },
  {
    name: 'serve',
    usage: '',
    summary: 'answer the editor: JSON-RPC on standard input and output',
    load: async () => (await import('./command-serve.ts')).serve,
  },
];

/** What `--help` prints. */
export function formatHelp(entries: readonly CommandEntry[]): string {
  const width = Math.max(...entries.map(entry => entry.name.length));
  const lines = entries.map(entry => `  ${entry.name.padEnd(width)}  ${entry.summary}`);
  return [
    'Usage: helper.cjs COMMAND [ARGUMENTS]',
    '',
    ...lines,
    '',
    'It runs CWL v1.0, v1.1 and v1.2; with --enable-dev also v1.3.0-dev1.',
    'helper.cjs COMMAND --help tells what a command takes; --version prints the version.',
    '',
  ].join('\n');
}

/** What `COMMAND --help` prints. */
export function formatCommandHelp(entry: CommandEntry): string {
  return `Usage: helper.cjs ${entry.name} ${entry.usage}\n\n${entry.summary}\n`;
}
