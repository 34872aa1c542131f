import { resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import { usageFailure } from './command-line.ts';

/** The command line of `run`, read. Paths are absolute. */
export interface RunArguments {
  outdir: string;
  quiet: boolean;
  engine: string | undefined;
  /** The program of an engine that is one of the host's. */
  dockerCommand: string | undefined;
  noContainer: boolean;
  defaultContainer: string | undefined;
  imageStore: string | undefined;
  /** Results that runs share; undefined: everything is done anew. */
  cacheDir: string | undefined;
  /** Registry host to mirror URL. */
  mirrors: Record<string, string>;
  parallel: number | undefined;
  cores: number | undefined;
  /** Mebibytes. */
  ram: number | undefined;
  onError: 'stop' | 'continue' | 'kill';
  tmpdirPrefix: string | undefined;
  keep: boolean;
  /** Parts of the workflow to run; none is all of it. */
  targets: string[];
  singleStep: string | undefined;
  singleProcess: string | undefined;
  printTargets: boolean;
  /** Where relative paths on the command line and in the input object start, instead of their own folders. */
  basedir: string | undefined;
  overrides: string[];
  /** Variables of the caller that tools get; `all` is every one of them. */
  environment: string[] | 'all';
  pull: 'missing' | 'always' | 'never';
  checksums: boolean;
  /** What happens to output files: `leave` keeps them in the run's folder. */
  outputs: 'move' | 'copy' | 'leave';
  /** A file for the output object, besides standard output. */
  summary: string | undefined;
  logDir: string | undefined;
  timestamps: boolean;
  evalTimeout: number | undefined;
  enableDev: boolean;
  lenient: boolean;
  toolHelp: boolean;
  /** The run's folder, for a run that `serve` has prepared. */
  runFolder: string | undefined;
  tool: string | undefined;
  /** What follows the tool: an input file, and inputs as options. */
  rest: string[];
}

const flags: Record<string, (options: RunArguments) => void> = {
  '--quiet': options => (options.quiet = true),
  '--no-container': options => (options.noContainer = true),
  '--keep': options => (options.keep = true),
  '--enable-dev': options => (options.enableDev = true),
  '--lenient': options => (options.lenient = true),
  '--tool-help': options => (options.toolHelp = true),
  '--print-targets': options => (options.printTargets = true),
  '--preserve-entire-environment': options => (options.environment = 'all'),
  '--no-compute-checksum': options => (options.checksums = false),
  '--move-outputs': options => (options.outputs = 'move'),
  '--copy-outputs': options => (options.outputs = 'copy'),
  '--leave-outputs': options => (options.outputs = 'leave'),
  '--timestamps': options => (options.timestamps = true),
  // A run's folder tells by itself whether there is something to go on with.
  '--resume': () => {},
};

const settings: Record<string, (options: RunArguments, value: string) => void> = {
  '--outdir': (options, value) => (options.outdir = resolve(value)),
  '--engine': (options, value) => (options.engine = value),
  '--docker-command': (options, value) => (options.dockerCommand = value),
  '--scheduler': (_, value) => checkScheduler(value),
  '--default-container': (options, value) => (options.defaultContainer = value),
  '--cache-dir': (options, value) => (options.cacheDir = resolve(value)),
  '--image-store': (options, value) => (options.imageStore = resolve(value)),
  '--mirror': (options, value) => addMirror(options.mirrors, value),
  '--parallel': (options, value) => (options.parallel = toNumber('--parallel', value, 1)),
  '--cores': (options, value) => (options.cores = toNumber('--cores', value, 0)),
  '--ram': (options, value) => (options.ram = toNumber('--ram', value, 0)),
  '--on-error': (options, value) => (options.onError = toReaction(value)),
  '--tmpdir-prefix': (options, value) =>
    (options.tmpdirPrefix = value.endsWith('/') ? `${resolve(value)}/` : resolve(value)),
  '--eval-timeout': (options, value) => (options.evalTimeout = toNumber('--eval-timeout', value, 0)),
  '--target': (options, value) => options.targets.push(value),
  '--single-step': (options, value) => (options.singleStep = value),
  '--single-process': (options, value) => (options.singleProcess = value),
  '--basedir': (options, value) => (options.basedir = resolve(value)),
  '--overrides': (options, value) => options.overrides.push(resolve(value)),
  '--preserve-environment': (options, value) => {
    if (options.environment !== 'all') options.environment.push(value);
  },
  '--pull': (options, value) => (options.pull = toPolicy(value)),
  '--write-summary': (options, value) => (options.summary = resolve(value)),
  '--log-dir': (options, value) => (options.logDir = resolve(value)),
  '--run-folder': (options, value) => (options.runFolder = resolve(value)),
};

/** Options up to the tool are the runner's own; throws a Failure `helper/usage` for what it does not know. */
export function parseRunArguments(args: readonly string[]): RunArguments {
  const options: RunArguments = {
    outdir: resolve('.'),
    quiet: false,
    engine: undefined,
    dockerCommand: undefined,
    noContainer: false,
    defaultContainer: undefined,
    imageStore: undefined,
    cacheDir: undefined,
    mirrors: {},
    parallel: undefined,
    cores: undefined,
    ram: undefined,
    onError: 'continue',
    tmpdirPrefix: undefined,
    keep: false,
    targets: [],
    singleStep: undefined,
    singleProcess: undefined,
    printTargets: false,
    basedir: undefined,
    overrides: [],
    environment: [],
    pull: 'missing',
    checksums: true,
    outputs: 'move',
    summary: undefined,
    logDir: undefined,
    timestamps: false,
    evalTimeout: undefined,
    enableDev: false,
    lenient: false,
    toolHelp: false,
    runFolder: undefined,
    tool: undefined,
    rest: [],
  };
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] as string;
    if (!argument.startsWith('-')) {
      options.tool = argument;
      options.rest = args.slice(at + 1);
      break;
    }
    const [name = '', ...parts] = argument.split('=');
    const flag = flags[argument];
    const setting = settings[name];
    if (flag) flag(options);
    else if (!setting)
      throw usageFailure(`run has no option ${name}`, 'Options of the run stand before the tool, inputs after it.');
    else {
      const value = parts.length > 0 ? parts.join('=') : args[++at];
      if (value === undefined) throw usageFailure(`${name} needs a value`);
      setting(options, value);
    }
  }
  return options;
}

function toNumber(name: string, value: string, above: number): number {
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number) && (above === 0 ? number > 0 : number >= above)) return number;
  throw usageFailure(`${name} takes a number${above === 0 ? ' above 0' : ` from ${above} on`}, not ${value}`);
}

function toReaction(value: string): RunArguments['onError'] {
  if (value === 'stop' || value === 'continue' || value === 'kill') return value;
  throw usageFailure(`--on-error takes stop, continue or kill, not ${value}`);
}

function toPolicy(value: string): RunArguments['pull'] {
  if (value === 'missing' || value === 'always' || value === 'never') return value;
  throw usageFailure(`--pull takes missing, always or never, not ${value}`);
}

function addMirror(mirrors: Record<string, string>, value: string): void {
  const at = value.indexOf('=');
  if (at <= 0) throw usageFailure(`--mirror takes HOST=URL, not ${value}`);
  mirrors[value.slice(0, at)] = value.slice(at + 1);
}

function checkScheduler(value: string): void {
  if (value === 'local') return;
  throw new Failure('helper/usage', `there is no scheduler ${value}`, {
    hint: 'Tasks run on this host: --scheduler local.',
  });
}
