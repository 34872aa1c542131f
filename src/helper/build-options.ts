import { resolve } from 'node:path';
import { usageFailure } from './command-line.ts';

/** The command line of `image build` and `docker build`, read. */
export interface BuildArguments {
  /** A folder, or `-` for none with the Dockerfile on standard input. */
  context: string;
  file?: string;
  names: string[];
  args: Map<string, string>;
  secrets: Map<string, string>;
  target?: string;
  isCached: boolean;
  policy: 'missing' | 'always' | 'never';
  platform?: string;
  isQuiet: boolean;
  idFile?: string;
  imageStore?: string;
  mirrors: Record<string, string>;
  engine?: string;
}

/** Options without a value; the last two are Docker's words for what is so anyway. */
const flags = ['--no-cache', '--pull', '--quiet', '--rm', '--force-rm'];
const short: Record<string, string> = { '-f': '--file', '-t': '--tag', '-q': '--quiet' };
const policies = ['missing', 'always', 'never'] as const;

/** Throws a Failure `helper/usage` for what is not known. */
export function parseBuildArguments(args: readonly string[]): BuildArguments {
  const options: BuildArguments = {
    context: '',
    names: [],
    args: new Map(),
    secrets: new Map(),
    isCached: true,
    policy: 'missing',
    isQuiet: false,
    mirrors: {},
  };
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === '-' || !word.startsWith('-')) {
      if (options.context !== '') throw usageFailure(`build takes one folder, not ${options.context} and ${word}`);
      options.context = word;
      continue;
    }
    const [, written = word, inline] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
    const option = short[written] ?? written;
    if (flags.includes(option)) {
      // As with Docker --pull alone means always; our own word follows it.
      const next =
        inline ?? (policies.some(each => each === args[i + 1]) && option === '--pull' ? args[++i] : undefined);
      setFlag(options, option, next);
      continue;
    }
    const set = setters[option];
    if (!set) throw usageFailure(`build has no option ${written}`);
    const value = inline ?? args[++i];
    if (value === undefined) throw usageFailure(`${written} needs a value`);
    set(options, value);
  }
  if (options.context === '') throw usageFailure('build needs the folder to build from, or - for a Dockerfile alone');
  if (options.context === '-' && options.file !== undefined)
    throw usageFailure('build -: the Dockerfile is on standard input');
  return options;
}

function setFlag(options: BuildArguments, option: string, value: string | undefined): void {
  const isOn = value !== 'false';
  if (option === '--no-cache') options.isCached = !isOn;
  else if (option === '--quiet') options.isQuiet = isOn;
  else if (option === '--pull') {
    const policy = value === undefined || value === 'true' ? 'always' : value === 'false' ? 'missing' : value;
    const known = policies.find(each => each === policy);
    if (!known) throw usageFailure(`--pull is missing, always or never, not ${value}`);
    options.policy = known;
  }
}

const setters: Record<string, (options: BuildArguments, value: string) => void> = {
  '--file': (options, value) => {
    options.file = value;
  },
  '--tag': (options, value) => {
    options.names.push(value);
  },
  '--build-arg': (options, value) => {
    const at = value.indexOf('=');
    // Without a value it is the caller's variable, as with Docker.
    const found = at < 0 ? process.env[value] : value.slice(at + 1);
    if (found !== undefined) options.args.set(at < 0 ? value : value.slice(0, at), found);
  },
  '--target': (options, value) => {
    options.target = value;
  },
  '--platform': (options, value) => {
    options.platform = value;
  },
  '--iidfile': (options, value) => {
    options.idFile = resolve(value);
  },
  '--image-store': (options, value) => {
    options.imageStore = resolve(value);
  },
  '--engine': (options, value) => {
    options.engine = value;
  },
  '--secret': (options, value) => {
    const pairs = new Map(value.split(',').map(part => part.split('=', 2) as [string, string]));
    const id = pairs.get('id');
    const file = pairs.get('src') ?? pairs.get('source');
    if (!id || !file) throw usageFailure('--secret needs id=ID,src=FILE');
    options.secrets.set(id, resolve(file));
  },
  '--mirror': (options, value) => {
    const at = value.indexOf('=');
    if (at <= 0) throw usageFailure('--mirror needs HOST=URL, such as docker.io=http://127.0.0.1:5000');
    options.mirrors[value.slice(0, at)] = value.slice(at + 1);
  },
};
