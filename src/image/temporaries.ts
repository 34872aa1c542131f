import { readdirSync, readFileSync, readlinkSync, renameSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from './make-folder.ts';
import { removeTree } from './remove-tree.ts';

/**
 * Names for what is half-made, in one folder: `KIND~HOST~BOOT~NAMESPACE~PID~START~N`. Whoever finds one can tell
 * whether its maker still lives, without a lock: pids are of one host, one boot and one pid namespace, and the start
 * time tells a pid from a later process with the same number.
 */
export class Temporaries {
  readonly #folder: string;
  readonly #owner = describeOwner();

  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(folder);
  }

  /** A path that nobody else uses; nothing is there yet. `kind` is of letters, digits and `-`. */
  make(kind: string): string {
    return join(this.#folder, `${kind}~${this.#owner}~${counter++}`);
  }

  /**
   * The path of what `client`, a machine that only uploads, is bringing: always the same one, so that it can go on with
   * it. Two days after its last byte it counts as left behind.
   */
  nameUpload(kind: string, client: string): string {
    return join(this.#folder, `${kind}~${client}`);
  }

  /** Takes over what a dead process left of this kind, under a new name; undefined if there is nothing. */
  adopt(kind: string): string | undefined {
    for (const name of this.#list()) {
      if (!name.startsWith(`${kind}~`) || !this.isStale(name)) continue;
      const path = this.make(kind);
      try {
        // Of several that try, one succeeds.
        renameSync(join(this.#folder, name), path);
        return path;
      } catch {
        // Another process was faster.
      }
    }
    return undefined;
  }

  /** Removes what dead processes left, but not what `isKept` says of its kind. */
  clean(isKept: (kind: string) => boolean = () => false): void {
    for (const name of this.#list()) {
      if (isKept(name.split('~')[0] as string) || !this.isStale(name)) continue;
      try {
        removeTree(join(this.#folder, name));
      } catch {
        // Another process cleans as well, or it belongs to somebody else: the next one will see to it.
      }
    }
  }

  #list(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch {
      return [];
    }
  }

  /** Whether the maker of what has this name is no more. */
  isStale(name: string): boolean {
    const [, host, boot, namespace, pid, start] = name.split('~');
    const [ownHost, ownBoot, ownNamespace] = this.#owner.split('~');
    if (host === ownHost && boot !== ownBoot) return true;
    if (host === ownHost && namespace === ownNamespace) return findStart(String(pid)) !== start;
    // Nobody here can ask another host: no image takes days.
    try {
      return Date.now() - statSync(join(this.#folder, name)).mtimeMs > foreignLifetime;
    } catch {
      return false;
    }
  }
}

const foreignLifetime = 2 * 24 * 3600 * 1000;
let counter = 0;

function describeOwner(): string {
  const boot = readText('/proc/sys/kernel/random/boot_id').trim().replaceAll('-', '').slice(0, 12) || 'unknown';
  const host = hostname().replace(/[^A-Za-z0-9.-]/g, '_') || 'localhost';
  const start = findStart('self') ?? '0';
  return [host, boot, findNamespace(), process.pid, start].join('~');
}

/** Clock ticks from boot to the start of a process (proc(5), field 22 of stat); undefined if there is none. */
function findStart(pid: string): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // The program's name is in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie is dead and only waits for its parent.
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function findNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  } catch {
    return '0';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
