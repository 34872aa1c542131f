import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { expand, toShellForm } from './build-config.ts';
import { hasOwners, type MadeMounts, type MountOptions, Mounts } from './build-mounts.ts';
import type { BuildStage } from './build-stage.ts';
import { type Instruction, parseExecForm } from './dockerfile.ts';
import { removeTree } from './remove-tree.ts';
import { findUser } from './rootfs-path.ts';
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

export interface RunStepOptions extends MountOptions {
  run: RunInRootfs;
  /** For what does not say it itself. */
  network: boolean;
  /** ARGs that are known without being declared. */
  proxies: Record<string, string>;
  /** Told once for owners that no unprivileged user can give. */
  onChown(): void;
  onOutput(text: string): void;
}

/** Of a command, and of an image made of nothing, where nobody says another. */
export const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** How many of the last lines of a failed command are told with the failure. */
const tail = 20;

/** RUN. Returns whether an earlier build did it already. */
export async function runStep(instruction: Instruction, stage: BuildStage, options: RunStepOptions): Promise<boolean> {
  const { config, args } = stage.state;
  const { argv, script } = toCommand(instruction, stage);
  const texts = instruction.flags.filter(flag => flag.name === 'mount').map(flag => expand(flag.value, stage.state));
  const mounts = new Mounts(texts, config.workingDirectory ?? '/', options);
  if (hasOwners(texts)) options.onChown();
  const network = checkFlags(instruction, options.network);
  const variables = Object.fromEntries([...args].filter(([name]) => !isProxyName(name)));
  const facts = ['RUN', argv, script ?? '', variables, await mounts.findFacts(), network];
  return stage.change(facts, async root => {
    const folder = options.store.temporaries.make('run');
    let made: MadeMounts | undefined;
    try {
      mkdirSync(folder, { mode: 0o700 });
      made = await mounts.make(folder);
      const binds = [...made.binds];
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
        env: {
          PATH: usualPath,
          HOME: user.home || '/',
          ...options.proxies,
          ...Object.fromEntries(args),
          ...config.env,
          ...made.env,
        },
        cwd: config.workingDirectory ?? '/',
        user: { uid: user.uid, gid: user.gid },
        network,
        mounts: binds,
        minimumKernel: stage.minimumKernel,
        signal: options.signal,
        onOutput: last.add,
      });
      options.signal.throwIfAborted();
      if (end.code === 0) return await made.check();
      const how = end.signal ? `was ended by ${end.signal}` : `ended with exit code ${end.code}`;
      const said = last.text === '' ? '' : `; it said last:\n${last.text}`;
      throw new Failure('image/run-failed', `RUN ${instruction.text} ${how}${said}`);
    } finally {
      made?.release();
      removeTree(folder);
    }
  });
}

/** Which variables pass through without being declared, and never make a difference to what is cached. */
export function isProxyName(name: string): boolean {
  return /^(https?|ftp|no|all)_proxy$/i.test(name);
}

export function findProxies(environment: Record<string, string | undefined>): Record<string, string> {
  const found = Object.entries(environment).filter(([name, value]) => isProxyName(name) && value !== undefined);
  return Object.fromEntries(found) as Record<string, string>;
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

/** Returns whether it sees the network: what it says itself goes before what the build says. */
function checkFlags({ flags }: Instruction, buildNetwork: boolean): boolean {
  let network = buildNetwork;
  for (const { name, value } of flags) {
    if (name === 'mount') continue;
    if (name === 'network' && ['default', 'host', 'none'].includes(value)) {
      if (value !== 'default') network = value !== 'none';
    } else if (name === 'security' && value === 'insecure') {
      throw new Failure('image/unsupported', 'RUN --security=insecure needs rights that nobody has without root', {
        hint: 'Leave it out, or build this image where you are root.',
      });
    } else if (name !== 'security' || value !== 'sandbox') {
      throw new Failure('image/unsupported', `RUN --${name}=${value} is not offered here`, {
        hint: 'There are --mount, --network=default, host or none, and --security=sandbox.',
      });
    }
  }
  return network;
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
