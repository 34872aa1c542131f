import { resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import { usageFailure } from './command-line.ts';

/** The command line of `run`, read. Paths are absolute. */
export interface RunArguments {
  outdir: string;
  quiet: boolean;
  engine: string | undefined;
  noContainer: boolean;
  defaultContainer: string | undefined;
  imageStore: string | undefined;
  /** Registry host to mirror URL. */
  mirrors: Record<string, string>;
  parallel: number | undefined;
  cores: number | undefined;
  /** Mebibytes. */
  ram: number | undefined;
  onError: 'stop' | 'continue' | 'kill';
  tmpdirPrefix: string | undefined;
  keep: boolean;
  evalTimeout: number | undefined;
  enableDev: boolean;
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
  '--tool-help': options => (options.toolHelp = true),
  // A run's folder tells by itself whether there is something to go on with.
  '--resume': () => {},
};

const settings: Record<string, (options: RunArguments, value: string) => void> = {
  '--outdir': (options, value) => (options.outdir = resolve(value)),
  '--engine': (options, value) => (options.engine = value),
  '--scheduler': (_, value) => checkScheduler(value),
  '--default-container': (options, value) => (options.defaultContainer = value),
  '--image-store': (options, value) => (options.imageStore = resolve(value)),
  '--mirror': (options, value) => addMirror(options.mirrors, value),
  '--parallel': (options, value) => (options.parallel = toNumber('--parallel', value, 1)),
  '--cores': (options, value) => (options.cores = toNumber('--cores', value, 0)),
  '--ram': (options, value) => (options.ram = toNumber('--ram', value, 0)),
  '--on-error': (options, value) => (options.onError = toReaction(value)),
  '--tmpdir-prefix': (options, value) =>
    (options.tmpdirPrefix = value.endsWith('/') ? `${resolve(value)}/` : resolve(value)),
  '--eval-timeout': (options, value) => (options.evalTimeout = toNumber('--eval-timeout', value, 0)),
  '--run-folder': (options, value) => (options.runFolder = resolve(value)),
};

/** Options up to the tool are the runner's own; throws a Failure `helper/usage` for what it does not know. */
export function parseRunArguments(args: readonly string[]): RunArguments {
  const options: RunArguments = {
    outdir: resolve('.'),
    quiet: false,
    engine: undefined,
    noContainer: false,
    defaultContainer: undefined,
    imageStore: undefined,
    mirrors: {},
    parallel: undefined,
    cores: undefined,
    ram: undefined,
    onError: 'continue',
    tmpdirPrefix: undefined,
    keep: false,
    evalTimeout: undefined,
    enableDev: false,
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
