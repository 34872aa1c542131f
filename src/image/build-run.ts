import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { digestOf } from '#registry/digest.ts';
import { expand, toShellForm } from './build-config.ts';
import { type BuildContext, digestSources } from './build-context.ts';
import { copyInto } from './build-copy.ts';
import type { BuildStage } from './build-stage.ts';
import { type Instruction, parseExecForm } from './dockerfile.ts';
import { makeFolder } from './make-folder.ts';
import { removeTree } from './remove-tree.ts';
import { findUser } from './rootfs-path.ts';
import type { Store } from './store.ts';
import { fromText } from './tree.ts';

/** One command in a rootfs that it may change. Paths are absolute. */
export interface RunRequest {
  rootfs: string;
  argv: string[];
  env: Record<string, string>;
  cwd: string;
  /** As the command sees itself. */
  user: { uid: number; gid: number };
  network: boolean;
  mounts: { host: string; guest: string; writable: boolean }[];
  /** The oldest kernel that the libc of the rootfs starts on. */
  minimumKernel?: string;
  signal: AbortSignal;
  onOutput(text: string): void;
}

/** Runs a command in a sandbox: handed in, as this room knows no engine. */
export type RunInRootfs = (request: RunRequest) => Promise<{ code: number | null; signal: string | null }>;

export interface RunStepOptions {
  store: Store;
  run: RunInRootfs;
  /** Files by the id of `--mount=type=secret`. */
  secrets: ReadonlyMap<string, string>;
  /** ARGs that are known without being declared. */
  proxies: Record<string, string>;
  findContext(from: string | undefined): Promise<{ context: BuildContext; digest?: string }>;
  signal: AbortSignal;
  onOutput(text: string): void;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** How many of the last lines of a failed command are told with the failure. */
const tail = 20;

/** RUN. Returns whether an earlier build did it already. */
export async function runStep(instruction: Instruction, stage: BuildStage, options: RunStepOptions): Promise<boolean> {
  const { config, args } = stage.state;
  const { argv, script } = toCommand(instruction, stage);
  const mounts = instruction.flags
    .filter(flag => flag.name === 'mount')
    .map(flag => parseMount(expand(flag.value, stage.state)));
  const network = checkFlags(instruction);
  const variables = Object.fromEntries([...args].filter(([name]) => !isProxyName(name)));
  const bound = await Promise.all(mounts.map(mount => digestMount(mount, options)));
  const facts = ['RUN', argv, script ?? '', variables, mounts, bound, network];
  return stage.change(facts, async root => {
    const folder = options.store.temporaries.make('run');
    try {
      mkdirSync(folder);
      const made = await Promise.all(mounts.map((mount, i) => makeMount(mount, join(folder, `${i}`), options)));
      const binds = made.flatMap(each => each ?? []);
      if (script !== undefined) {
        writeFileSync(join(folder, 'script'), script, { mode: 0o755 });
        binds.push({ host: join(folder, 'script'), guest: argv[0] as string, writable: false });
      }
      const user =
        config.user === undefined ? { uid: 0, gid: 0, home: '/root' } : findUser(fromText(root), config.user);
      if (!user) throw new Failure('image/no-such-user', `the image has no user ${config.user}`);
      const last = new LastLines(options.onOutput);
      const end = await options.run({
        rootfs: root,
        argv,
        env: { PATH: path, HOME: user.home || '/', ...options.proxies, ...Object.fromEntries(args), ...config.env },
        cwd: config.workingDirectory ?? '/',
        user: { uid: user.uid, gid: user.gid },
        network,
        mounts: binds,
        minimumKernel: stage.minimumKernel,
        signal: options.signal,
        onOutput: last.add,
      });
      options.signal.throwIfAborted();
      if (end.code === 0) return;
      const how = end.signal ? `was ended by ${end.signal}` : `ended with exit code ${end.code}`;
      const said = last.text === '' ? '' : `; it said last:\n${last.text}`;
      throw new Failure('image/run-failed', `RUN ${instruction.text} ${how}${said}`);
    } finally {
      removeTree(folder);
    }
  });
}

/** Which variables pass through without being declared, and never make a difference to what is cached. */
export function isProxyName(name: string): boolean {
  return /^(https?|ftp|no|all)_proxy$/i.test(name);
}

function toCommand({ text, heredocs }: Instruction, stage: BuildStage): { argv: string[]; script?: string } {
  const { config } = stage.state;
  const [only, more] = heredocs;
  if (!only) {
    const argv = parseExecForm(text) ?? toShellForm(text, config);
    if (text === '' || argv.length === 0) throw new Failure('image/invalid-dockerfile', 'RUN needs a command');
    return { argv };
  }
  if (!more && /^<<-?["']?[\w.-]+["']?$/.test(text)) {
    return only.text.startsWith('#!')
      ? { argv: [`/tmp/.${only.name}`], script: only.text }
      : { argv: toShellForm(only.text, config) };
  }
  // The shell reads the texts itself.
  const texts = heredocs.map(({ name, text: body }) => `${body}${name}\n`);
  return { argv: toShellForm(`${text}\n${texts.join('')}`, config) };
}

function checkFlags({ flags }: Instruction): boolean {
  let network = true;
  for (const { name, value } of flags) {
    if (name === 'mount') continue;
    if (name === 'network' && ['default', 'host', 'none'].includes(value)) network = value !== 'none';
    else throw new Failure('image/unsupported', `RUN --${name}=${value} is not offered here`);
  }
  return network;
}

interface Mount {
  type: string;
  target: string;
  source: string;
  from?: string;
  id: string;
  isRequired: boolean;
  mode?: number;
}

function parseMount(text: string): Mount {
  const options: Record<string, string> = {};
  for (const part of text.split(',')) {
    const [, name = '', value = 'true'] = /^([^=]*)(?:=(.*))?$/s.exec(part) ?? [];
    options[mountNames[name] ?? name] = value;
  }
  const { type = 'bind', source, id, from, required, mode, target, ...rest } = options;
  const other = Object.keys(rest).find(name => !['rw', 'ro', 'sharing', 'uid', 'gid', 'size'].includes(name));
  if (!['bind', 'cache', 'tmpfs', 'secret'].includes(type) || other !== undefined) {
    const what = other === undefined ? `type=${type}` : other;
    throw new Failure('image/unsupported', `RUN --mount with ${what} is not offered here`, {
      hint: 'There are type=bind, cache, tmpfs and secret.',
    });
  }
  const name = id ?? posix.basename(source ?? target ?? '');
  const guest = target ?? (type === 'secret' ? `/run/secrets/${name}` : undefined);
  if (guest === undefined) throw new Failure('image/invalid-dockerfile', `RUN --mount=${text} needs a target`);
  return {
    type,
    target: posix.resolve('/', guest),
    source: source ?? '/',
    ...(from !== undefined && { from }),
    id: type === 'cache' ? (id ?? posix.resolve('/', guest)) : name,
    isRequired: required === 'true',
    ...(mode !== undefined && { mode: Number.parseInt(mode, 8) }),
  };
}

const mountNames: Record<string, string> = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  readwrite: 'rw',
  readonly: 'ro',
};

async function digestMount(mount: Mount, { findContext }: RunStepOptions): Promise<string> {
  if (mount.type !== 'bind') return '';
  const { context, digest } = await findContext(mount.from);
  return digest ?? digestSources(await context.find(mount.source));
}

/** Folders of the host that stand for mounts: what is written into a bind is not kept, as Docker has it. */
async function makeMount(
  { type, target, source, from, id, isRequired, mode }: Mount,
  place: string,
  { store, secrets, findContext }: RunStepOptions,
): Promise<{ host: string; guest: string; writable: boolean } | undefined> {
  if (type === 'secret') {
    const file = secrets.get(id);
    if (file === undefined && !isRequired) return undefined;
    if (file === undefined || !existsSync(file)) {
      throw new Failure('image/no-secret', `the secret ${id} is not here`, {
        hint: `Give it with --secret id=${id},src=FILE.`,
      });
    }
    copyFileSync(file, place);
    chmodSync(place, mode ?? 0o400);
    return { host: place, guest: target, writable: false };
  }
  if (type === 'cache') {
    const host = join(store.buildFolder('build-mounts'), digestOf(id).slice('sha256:'.length));
    makeFolder(host);
    return { host, guest: target, writable: true };
  }
  mkdirSync(place, { mode: mode ?? 0o755 });
  if (type === 'bind') {
    const { context } = await findContext(from);
    const sources = await context.find(source);
    copyInto(place, sources, { destination: '/it', isFolder: false });
    return { host: join(place, 'it'), guest: target, writable: true };
  }
  return { host: place, guest: target, writable: true };
}

/** Passes output on and remembers its end. */
class LastLines {
  text = '';
  readonly add: (text: string) => void;

  constructor(pass: (text: string) => void) {
    this.add = text => {
      pass(text);
      this.text = `${this.text}${text}`
        .slice(-8000)
        .split('\n')
        .slice(-tail - 1)
        .join('\n');
    };
  }
}
