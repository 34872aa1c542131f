import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Secret } from '#image/build-mounts.ts';
import { usageFailure } from './command-line.ts';

/** The command line of `image build` and `docker build`, read. */
export interface BuildArguments {
  /** A folder, or `-` for none with the Dockerfile on standard input. */
  context: string;
  file?: string;
  names: string[];
  args: Map<string, string>;
  secrets: Map<string, Secret>;
  /** Sockets of ssh-agents by id. */
  agents: Map<string, string>;
  /** Folders (absolute) and `docker-image://NAME` by name. */
  contexts: Map<string, string>;
  labels: Record<string, string>;
  /** False: no RUN sees the network. */
  network: boolean;
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

/** Options without a value; the last three are Docker's words for what is so anyway. */
const flags = ['--no-cache', '--pull', '--quiet', '--rm', '--force-rm', '--load'];
const short: Record<string, string> = { '-f': '--file', '-t': '--tag', '-q': '--quiet' };
const policies = ['missing', 'always', 'never'] as const;

/** Throws a Failure `helper/usage` for what is not known. */
export function parseBuildArguments(args: readonly string[]): BuildArguments {
  const options: BuildArguments = {
    context: '',
    names: [],
    args: new Map(),
    secrets: new Map(),
    agents: new Map(),
    contexts: new Map(),
    labels: {},
    network: true,
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
    if (!set) {
      const all = [...Object.keys(setters), ...flags].sort().join(', ');
      throw usageFailure(`build has no option ${written}`, `It has ${all}.`);
    }
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
    const { id = '', type, src, source = src, env, ...rest } = readFields('--secret', value);
    const [other] = Object.keys(rest);
    const isWrong = id === '' || other !== undefined || ![undefined, 'file', 'env'].includes(type);
    if (isWrong || (source !== undefined && env !== undefined)) {
      throw usageFailure(`--secret ${value} is not understood`, 'It is id=ID,src=FILE or id=ID,env=VARIABLE.');
    }
    // As buildx has it: what is named neither way is a variable if there is one, and else a file.
    const isVariable = env !== undefined || type === 'env' || (source === undefined && process.env[id] !== undefined);
    const secret = isVariable && type !== 'file' ? { variable: env ?? source ?? id } : { file: resolve(source ?? id) };
    options.secrets.set(id, secret);
  },
  '--ssh': (options, value) => {
    const at = value.indexOf('=');
    const id = at < 0 ? value : value.slice(0, at);
    const socket = at < 0 ? process.env.SSH_AUTH_SOCK : value.slice(at + 1);
    if (!id) throw usageFailure('--ssh needs default, or ID=SOCKET');
    if (!socket) {
      throw usageFailure('--ssh: SSH_AUTH_SOCK names no ssh-agent', 'Run `eval $(ssh-agent)` and `ssh-add` first.');
    }
    if (!statSync(socket, { throwIfNoEntry: false })?.isSocket()) {
      throw usageFailure(
        `--ssh ${value}: ${socket} is no socket of an ssh-agent`,
        'Keys are lent by an agent: ssh-add.',
      );
    }
    options.agents.set(id, resolve(socket));
  },
  '--build-context': (options, value) => {
    const at = value.indexOf('=');
    const place = value.slice(at + 1);
    const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory();
    if (at <= 0 || !(isFolder || /^docker-image:\/\/./.test(place))) {
      throw usageFailure(
        `--build-context ${value} is not understood`,
        'It is NAME=FOLDER or NAME=docker-image://IMAGE.',
      );
    }
    options.contexts.set(value.slice(0, at), isFolder ? resolve(place) : place);
  },
  '--label': (options, value) => {
    const at = value.indexOf('=');
    if (at === 0) throw usageFailure(`--label ${value} has no name`);
    options.labels[at < 0 ? value : value.slice(0, at)] = at < 0 ? '' : value.slice(at + 1);
  },
  '--network': (options, value) => {
    if (!['default', 'host', 'none'].includes(value))
      throw usageFailure(`--network is default, host or none, not ${value}`);
    options.network = value !== 'none';
  },
  '--progress': (_, value) => {
    // Lines, as they come, is all that there is.
    if (!['auto', 'plain', 'tty'].includes(value)) throw usageFailure(`--progress is auto, plain or tty, not ${value}`);
  },
  '--mirror': (options, value) => {
    const at = value.indexOf('=');
    if (at <= 0) throw usageFailure('--mirror needs HOST=URL, such as docker.io=http://127.0.0.1:5000');
    options.mirrors[value.slice(0, at)] = value.slice(at + 1);
  },
};

/** `a=1,b=2`, fields quoted as in CSV (RFC 4180) where they hold a comma. */
export function readFields(option: string, value: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [, quoted, plain] of value.matchAll(/(?:"((?:[^"]|"")*)"|([^,]+))(?:,|$)/gs)) {
    const field = quoted?.replaceAll('""', '"') ?? (plain as string);
    const at = field.indexOf('=');
    const name = at < 0 ? field : field.slice(0, at);
    if (name in fields) throw usageFailure(`${option} says ${name} twice: ${value}`);
    fields[name] = at < 0 ? 'true' : field.slice(at + 1);
  }
  return fields;
}
