import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { digestOf } from '#registry/digest.ts';
import { type CacheClaim, claimCache } from './build-cache-lock.ts';
import { type BuildContext, digestSources } from './build-context.ts';
import { copyInto } from './build-copy.ts';
import { type Mount, parseMount } from './build-mount-options.ts';
import { makeFolder } from './make-folder.ts';
import type { Store } from './store.ts';
import { fromText, walkTree } from './tree.ts';

/** Where the value of a secret is. */
export type Secret = { file: string } | { variable: string };

export interface MountOptions {
  store: Store;
  /** By the id of `--mount=type=secret`. */
  secrets: ReadonlyMap<string, Secret>;
  /** Sockets of agents by the id of `--mount=type=ssh`. */
  agents: ReadonlyMap<string, string>;
  environment: Record<string, string | undefined>;
  findContext(from: string | undefined): Promise<{ context: BuildContext; digest?: string }>;
  signal: AbortSignal;
}

/** What stands for mounts while a command runs. */
export interface MadeMounts {
  binds: { host: string; guest: string; writable: boolean }[];
  /** Variables that must not be told to anyone else. */
  env: Record<string, string>;
  /** After the command: throws a Failure `image/run-failed` where more was written than a mount holds. */
  check(): Promise<void>;
  release(): void;
}

/** The mounts of one RUN (Dockerfile reference, RUN --mount). */
export class Mounts {
  readonly #mounts: readonly Mount[];
  readonly #options: MountOptions;

  /** `texts` are the values of `--mount`; relative targets are of `workingDirectory`. */
  constructor(texts: readonly string[], workingDirectory: string, options: MountOptions) {
    this.#mounts = texts.map((text, index) => parseMount(text, workingDirectory, index));
    this.#options = options;
  }

  /** All that decides what the command can see, but no secret. */
  async findFacts(): Promise<unknown[]> {
    return Promise.all(this.#mounts.map(async mount => [mount, await this.#digest(mount)]));
  }

  /** Makes them below `folder`, which the caller removes. */
  async make(folder: string): Promise<MadeMounts> {
    const made: MadeMounts = { binds: [], env: {}, check: () => this.#check(folder), release: () => {} };
    const claims = new Map<string, CacheClaim>();
    made.release = () => {
      for (const claim of claims.values()) claim.release();
    };
    try {
      // In one order, so that no two builds wait for each other.
      const order = [...this.#mounts.keys()].sort((a, b) => compare(this.#mounts[a]?.id, this.#mounts[b]?.id));
      for (const index of order)
        await this.#makeOne(this.#mounts[index] as Mount, join(folder, `${index}`), made, claims);
      made.binds.sort((a, b) => compare(a.guest, b.guest));
      return made;
    } catch (error) {
      made.release();
      throw error;
    }
  }

  async #makeOne(mount: Mount, place: string, made: MadeMounts, claims: Map<string, CacheClaim>): Promise<void> {
    const { type, target, isWritable, mode } = mount;
    if (type === 'secret') this.#makeSecret(mount, place, made);
    else if (type === 'ssh') this.#makeAgent(mount, made);
    else if (type === 'cache') {
      const claim = await this.#openCache(mount, place, claims);
      made.binds.push({ host: claim.folder, guest: target, writable: isWritable });
    } else if (type === 'bind') {
      mkdirSync(place);
      await this.#copySource(mount, join(place, 'it'));
      made.binds.push({ host: join(place, 'it'), guest: target, writable: isWritable });
    } else {
      mkdirSync(place);
      chmodSync(place, mode ?? 0o755);
      made.binds.push({ host: place, guest: target, writable: true });
    }
  }

  #makeSecret({ id, target, hasTarget, variable, isRequired, mode }: Mount, place: string, made: MadeMounts): void {
    const { secrets, environment } = this.#options;
    const secret = secrets.get(id);
    const isHere = secret && ('file' in secret ? existsSync(secret.file) : environment[secret.variable] !== undefined);
    if (!isHere) {
      // One that was promised and is gone is a mistake, whatever the Dockerfile says.
      if (!isRequired && !secret) return;
      throw new Failure('image/no-secret', `the secret ${id} is not here`, {
        hint: `Give it with --secret id=${id},src=FILE or --secret id=${id},env=VARIABLE.`,
      });
    }
    if (variable !== undefined) {
      made.env[variable] =
        'file' in secret ? readFileSync(secret.file, 'utf8') : (environment[secret.variable] as string);
      if (!hasTarget) return;
    }
    if ('file' in secret) copyFileSync(secret.file, place);
    else writeFileSync(place, environment[secret.variable] as string, { mode: 0o600 });
    chmodSync(place, mode ?? 0o400);
    made.binds.push({ host: place, guest: target, writable: false });
  }

  #makeAgent({ id, target, isRequired }: Mount, made: MadeMounts): void {
    const socket = this.#options.agents.get(id);
    if (socket === undefined && !isRequired) return;
    if (socket === undefined || !lstatSync(socket, { throwIfNoEntry: false })?.isSocket()) {
      throw new Failure('image/no-ssh', `no ssh-agent is lent to this build as ${id}`, {
        hint: `Start ssh-agent, ssh-add the key, and build with --ssh ${id === 'default' ? id : `${id}=SOCKET`}.`,
      });
    }
    made.binds.push({ host: socket, guest: target, writable: true });
    made.env.SSH_AUTH_SOCK ??= target;
  }

  async #openCache(mount: Mount, place: string, claims: Map<string, CacheClaim>): Promise<CacheClaim> {
    const { store, signal } = this.#options;
    const base = store.buildFolder('build-mounts');
    makeFolder(base);
    const name = digestOf(JSON.stringify(mount.id)).slice('sha256:'.length);
    // One command may mount a cache twice: it does not wait for itself.
    const claim = claims.get(name) ?? (await claimCache(join(base, name), mount.sharing, store.temporaries, signal));
    claims.set(name, claim);
    if (!existsSync(claim.folder)) {
      if (mount.from === undefined) mkdirSync(place);
      else await this.#copySource(mount, place);
      chmodSync(place, mount.mode ?? 0o755);
      try {
        renameSync(place, claim.folder);
      } catch (error) {
        // Another build was faster.
        if (!existsSync(claim.folder)) throw error;
      }
    }
    return claim;
  }

  /** What is written there is not kept. */
  async #copySource({ from, source }: Mount, place: string): Promise<void> {
    const { context } = await this.#options.findContext(from);
    const folder = join(place, '..');
    copyInto(folder, await context.find(source), { destination: place.slice(folder.length), isFolder: false });
  }

  async #digest(mount: Mount): Promise<string> {
    if (mount.type !== 'bind' && mount.from === undefined) return '';
    const { context, digest } = await this.#options.findContext(mount.from);
    return digest ?? digestSources(await context.find(mount.source));
  }

  async #check(folder: string): Promise<void> {
    for (const [index, { size, target }] of this.#mounts.entries()) {
      if (size === undefined) continue;
      let bytes = 0;
      for await (const { stat } of walkTree(fromText(join(folder, `${index}`)))) bytes += stat.size;
      if (bytes > size) {
        throw new Failure('image/run-failed', `${bytes} bytes were written to ${target}, which holds ${size}`);
      }
    }
  }
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether owners are asked for that no unprivileged user can give. */
export function hasOwners(texts: readonly string[]): boolean {
  return texts.some(text => /(^|,)[ug]id=/.test(text));
}
