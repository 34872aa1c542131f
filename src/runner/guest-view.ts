import { lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { Failure } from '#base/failure.ts';

/** A host path that a task sees at another place. */
export interface Mount {
  guest: string;
  host: string;
}

/** A path as the task sees it, with all links followed, and where that is on the host. */
export interface Found {
  guest: string;
  host: string;
}

/** The file system as a task saw it, looked at from the host after the task has ended. */
export class GuestView {
  readonly #mounts: Map<string, string>;
  readonly #isHost: boolean;
  readonly #roots: string[];
  readonly #outdir: string;
  readonly #aliases: readonly Mount[];

  /**
   * `isHost`: the task saw the host's own root. `outdir` (a path without links) and `inputs`: the places, as the task
   * saw them, that a link may lead to. `aliases`: paths on the host by which the task may have called its own, the longer
   * before those that begin them.
   */
  constructor(
    mounts: readonly Mount[],
    options: { isHost: boolean; outdir: string; inputs: readonly string[]; aliases?: readonly Mount[] },
  ) {
    this.#outdir = options.outdir;
    this.#aliases = options.aliases ?? [];
    this.#mounts = new Map(mounts.map(mount => [mount.guest, mount.host]));
    this.#isHost = options.isHost;
    this.#roots = [options.outdir, ...options.inputs];
  }

  /**
   * Follows all links as the task would have. Undefined where nothing is there. Throws a Failure `runner/illegal-link`
   * where a link leaves the output directory and the inputs (CWL v1.2, CommandOutputBinding.glob).
   */
  resolve(named: string): Found | undefined {
    const path = this.#toGuest(named);
    const isOwn = isInside(path, this.#outdir);
    let current = isOwn ? this.#outdir : '/';
    let rest = split(isOwn ? path.slice(this.#outdir.length) : path);
    // What is known of `current`.
    let stat: Stats | undefined;
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift() as string;
      const next = posix.join(current, part);
      const isPlain = !this.#mounts.has(next) && part !== '..';
      const nextHost = isPlain ? this.#toHost(next) : undefined;
      const found = nextHost === undefined ? undefined : look(nextHost);
      if (!found?.isSymbolicLink()) {
        [current, stat] = [next, found];
        continue;
      }
      const link = this.#toGuest(readlinkSync(nextHost as string));
      stat = undefined;
      if (++links > 40) return undefined;
      if (link.startsWith('/')) current = '/';
      rest = [...split(link), ...rest];
    }
    const host = this.#toHost(current);
    if (!this.#isAllowed(current)) {
      throw new Failure('runner/illegal-link', `${path} leads to ${current}, which is neither an output nor an input`, {
        hint: 'Let the tool copy what it wants to give as output into its working directory.',
      });
    }
    return host === undefined || !(stat ?? look(host)) ? undefined : { guest: current, host };
  }

  /** True where something is bound at exactly this path. */
  isMount(guest: string): boolean {
    return this.#mounts.has(guest);
  }

  isOutdir(guest: string): boolean {
    return guest === this.#outdir;
  }

  /** True for what the task itself made. */
  isOutput(guest: string): boolean {
    return (
      isInside(guest, this.#outdir) && ![...this.#mounts.keys()].some(at => at !== this.#outdir && isInside(guest, at))
    );
  }

  /** On the host, inputs may have been named by a path with links in it. */
  #isAllowed(path: string): boolean {
    if (this.#roots.some(root => isInside(path, root))) return true;
    return this.#isHost && this.#roots.some(root => isInside(path, toRealPath(root)));
  }

  #toGuest(path: string): string {
    const alias = this.#aliases.find(({ host }) => isInside(path, host));
    return alias === undefined ? path : posix.join(alias.guest, path.slice(alias.host.length));
  }

  #toHost(guest: string): string | undefined {
    for (let at = guest; ; at = posix.dirname(at)) {
      const host = this.#mounts.get(at);
      if (host !== undefined)
        return at === guest ? host : posix.join(host, guest.slice(at === '/' ? 1 : at.length + 1));
      if (at === '/') return this.#isHost ? guest : undefined;
    }
  }
}

/** What the paths on the host mean to a task that can come to see them: `root` is its root there. */
export function listAliases(root: string, mounts: readonly Mount[]): Mount[] {
  const all = [...mounts, { guest: '/', host: root }].map(({ guest, host }) => ({ guest, host: toRealPath(host) }));
  return all.sort((a, b) => b.host.length - a.host.length);
}

/** True for `root` itself and all below it. */
export function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);
}

function split(path: string): string[] {
  return path.split('/').filter(part => part !== '' && part !== '.');
}

/** Undefined where nothing is, be it that something on the way is no directory. */
function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function toRealPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
