import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Bind } from '#engine/sandbox.ts';
import { readFields } from './build-options.ts';
import { usageFailure } from './command-line.ts';

/** The command line of `docker run`, read. */
export interface DockerRunOptions {
  image: string;
  /** What follows the image; empty for the image's own command. */
  command: string[];
  binds: Bind[];
  /** Writable places inside that begin empty. */
  scratch: string[];
  env: Record<string, string>;
  workdir: string | undefined;
  /** Undefined is the image's; empty is none. */
  entrypoint: string | undefined;
  /** As it is written: names are the image's. */
  user: string | undefined;
  /** No place is writable but those that are asked for. */
  isReadOnly: boolean;
  /** One sentence for each option that is not kept. */
  notices: string[];
  network: boolean;
  /** File that gets the number of the container. */
  cidfile: string | undefined;
  platform: string | undefined;
  pull: 'missing' | 'always' | 'never';
  /** `all`, so many, or these: numbers or UUIDs. */
  gpus: 'all' | number | string[] | undefined;
}

/**
 * Options that change nothing here: a process ends with its caller, and is not kept, named, logged or looked after. Its
 * standard input is the caller's even without -i, which cwltool does not give to what stands for Docker.
 */
const ignored = {
  flags: ['rm', 'interactive', 'tty', 'init', 'quiet', 'nobanner', 'no-healthcheck', 'sig-proxy'],
  values: ['name', 'log-driver', 'log-opt', 'label', 'stop-signal', 'stop-timeout', 'cap-drop'],
};

/** What a container would have and a process has not: that is told, and the process runs nevertheless. */
const unkept: Record<string, string> = {
  memory: 'the limit of memory is that of the job',
  'memory-swap': 'the limit of memory is that of the job',
  cpus: 'the number of processors is that of the job',
  'cpu-shares': 'the share of processors is that of the job',
  'pids-limit': 'the number of processes is that of the user',
  ulimit: 'limits are those of the caller',
  'shm-size': '/dev/shm is that of the host',
  hostname: 'the name of the host stays',
  ipc: 'shared memory is that of the user',
};

const short: Record<string, string> = {
  v: 'volume',
  w: 'workdir',
  e: 'env',
  u: 'user',
  i: 'interactive',
  t: 'tty',
  q: 'quiet',
  m: 'memory',
  h: 'hostname',
  c: 'cpu-shares',
  l: 'label',
};

const setters: Record<string, (options: DockerRunOptions, value: string) => void> = {
  volume: (options, value) => addVolume(options, value),
  mount: (options, value) => addMount(options, value),
  tmpfs: addTmpfs,
  env: (options, value) => addVariable(options.env, value),
  'env-file': (options, value) => {
    for (const line of readFileSync(value, 'utf8').split('\n')) {
      if (line.trim() !== '' && !line.startsWith('#')) addVariable(options.env, line);
    }
  },
  workdir: (options, value) => (options.workdir = value),
  entrypoint: (options, value) => (options.entrypoint = value),
  user: (options, value) => (options.user = value),
  net: (options, value) => (options.network = parseNetwork(value)),
  network: (options, value) => (options.network = parseNetwork(value)),
  cidfile: (options, value) => (options.cidfile = resolve(value)),
  platform: (options, value) => (options.platform = value),
  gpus: (options, value) => (options.gpus = parseGpus(value)),
  pull: (options, value) => {
    if (value !== 'always' && value !== 'never' && value !== 'missing') {
      throw usageFailure(`docker run: --pull is missing, always or never, not ${value}`);
    }
    options.pull = value;
  },
  userns: (_, value) => {
    if (value !== 'host') throw refuse('userns', 'host is the only one');
  },
  'security-opt': (_, value) => {
    // No program here gains rights.
    if (!/^no-new-privileges(:true)?$/.test(value)) throw refuse('security-opt', 'no-new-privileges is the only one');
  },
};

/**
 * Reads what follows `docker run`, as far as one process that ends by itself can be meant (Docker CLI reference,
 * `docker container run`). Throws a Failure `helper/usage` for an option that would be promised and not kept.
 */
export function parseDockerRun(args: readonly string[]): DockerRunOptions {
  const options: DockerRunOptions = {
    image: '',
    command: [],
    binds: [],
    scratch: [],
    env: {},
    workdir: undefined,
    entrypoint: undefined,
    user: undefined,
    isReadOnly: false,
    notices: [],
    network: true,
    cidfile: undefined,
    platform: undefined,
    pull: 'missing',
    gpus: undefined,
  };
  const words = expandShort(args);
  for (let at = 0; at < words.length; at++) {
    const { name, value, word } = words[at] as Word;
    if (name === undefined) {
      options.image = word;
      options.command = words.slice(at + 1).map(each => each.word);
      break;
    }
    if (ignored.flags.includes(name)) continue;
    if (name === 'read-only') {
      options.isReadOnly = value !== 'false';
      continue;
    }
    const setter = setters[name];
    if (!setter && !ignored.values.includes(name) && !unkept[name]) throw refuse(name);
    const given = value ?? words[++at]?.word;
    if (given === undefined) throw usageFailure(`docker run: --${name} needs a value`);
    setter?.(options, given);
    if (unkept[name]) options.notices.push(`docker run: --${name} ${given} is not kept: ${unkept[name]}`);
  }
  if (options.image === '') throw usageFailure('docker run: which image?');
  return options;
}

/** What would be promised and not kept. */
function refuse(name: string, why = refused[name] ?? 'it is not known') {
  return usageFailure(`docker run: --${name} can't be done here: ${why}`);
}

const refused: Record<string, string> = {
  detach: 'a process ends with its caller; start it in the background of a job',
  d: 'a process ends with its caller; start it in the background of a job',
  publish: 'its ports are those of the host',
  p: 'its ports are those of the host',
  'publish-all': 'its ports are those of the host',
  P: 'its ports are those of the host',
  privileged: 'nobody has these rights without root',
  'cap-add': 'nobody has these rights without root',
  device: 'it sees the usual devices, and nobody adds others without root',
  gpus: 'it sees the usual devices, and nobody adds others without root',
  restart: 'nothing watches over it',
  'volumes-from': 'there are no containers to take them from',
  'add-host': 'names are those of the host',
  dns: 'names are those of the host',
};

interface Word {
  word: string;
  /** Of an option, without its dashes. */
  name?: string;
  value?: string;
}

/** Options up to the image, each with its long name: `-it` is two, `-v/a:/b` and `--volume=/a:/b` have a value. */
function expandShort(args: readonly string[]): Word[] {
  return args.flatMap((word): Word[] => {
    const [, long, value] = /^--([a-z][a-z-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (long !== undefined) return [{ word, name: long, ...(value === undefined ? {} : { value }) }];
    if (!/^-[A-Za-z]/.test(word)) return [{ word }];
    const letters = word.slice(1);
    const names = [...letters].map(letter => short[letter]);
    if (names.every(name => name !== undefined && ignored.flags.includes(name))) {
      return names.map(name => ({ word, name }) as Word);
    }
    const first = names[0] ?? letters[0];
    const rest = letters.slice(1).replace(/^=/, '');
    return [{ word, name: first as string, ...(rest === '' ? {} : { value: rest }) }];
  });
}

/** `HOST:GUEST[:OPTIONS]`, or `GUEST` for an empty place. */
function addVolume(options: DockerRunOptions, value: string): void {
  const [host = '', guest, modes = ''] = value.split(':');
  if (guest === undefined) options.scratch.push(host);
  else if (!/^[./~]/.test(host)) throw usageFailure(`docker run: there are no named volumes: ${value}`);
  else options.binds.push({ host: resolve(host), guest, writable: !modes.split(',').includes('ro') });
}

/** `GUEST[:OPTIONS]`; an empty folder on the disk stands for it. */
function addTmpfs(options: DockerRunOptions, value: string): void {
  const [guest = '', modes = ''] = value.split(':');
  options.scratch.push(guest);
  const size = modes.split(',').find(each => each.startsWith('size='));
  if (size) options.notices.push(`docker run: --tmpfs ${value}: ${size} is not kept: it is a folder on the disk`);
}

/** `type=bind,source=A,target=B[,readonly]`. */
function addMount(options: DockerRunOptions, value: string): void {
  const { type = 'volume', ...fields } = readFields('docker run: --mount', value);
  const {
    source,
    src = source,
    target,
    destination = target,
    dst = destination,
    readonly,
    ro = readonly,
    ...rest
  } = fields;
  if (dst === undefined) throw usageFailure(`docker run: --mount needs a target: ${value}`);
  const [other] = Object.keys(rest).filter(name => !['bind-propagation', 'consistency', 'tmpfs-mode'].includes(name));
  if (other !== undefined) throw usageFailure(`docker run: --mount with ${other} is not known here: ${value}`);
  if (type === 'tmpfs') options.scratch.push(dst);
  else if (type !== 'bind' || src === undefined) throw usageFailure(`docker run: --mount is no bind: ${value}`);
  else
    options.binds.push({ host: resolve(src), guest: dst, writable: ro === undefined || !['true', '1'].includes(ro) });
}

/** `NAME=VALUE`, or `NAME` for the caller's value. */
function addVariable(env: Record<string, string>, text: string): void {
  const at = text.indexOf('=');
  if (at > 0) env[text.slice(0, at)] = text.slice(at + 1);
  else if (process.env[text] !== undefined) env[text] = process.env[text];
}

/** A line of CSV whose fields are `count=N`, or just `N`, `device=A,B`, and capabilities, which all are there. */
function parseGpus(text: string): DockerRunOptions['gpus'] {
  const fields = [...text.matchAll(/(?:"([^"]*)"|([^,]+))(?:,|$)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  const what = fields.find(field => !/^(?:capabilities|driver|options)=/.test(field))?.replace(/^count=/, '') ?? 'all';
  if (what === 'all' || what === '-1') return 'all';
  if (/^\d+$/.test(what)) return Number(what);
  if (what.startsWith('device=')) return what.slice('device='.length).split(',');
  throw usageFailure(`docker run: --gpus takes all, a number or device=..., not ${text}`);
}

function parseNetwork(text: string): boolean {
  if (text === 'none') return false;
  if (['host', 'bridge', 'default'].includes(text)) return true;
  throw usageFailure(`docker run: --network takes none, host or bridge, not ${text}`);
}
