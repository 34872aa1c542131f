import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';

/** Something below a folder. */
export interface TreeEntry {
  /** Relative, of latin1 text: one character per byte. */
  path: string;
  stat: Stats;
}

/** How many entries are handled before others get their turn. */
const pause = 256;

/** All that is below `root`, folders before what is in them; links are not followed. */
export async function* walkTree(
  root: string,
  options: { signal?: AbortSignal; isLeftOut?(path: string, isDirectory: boolean): boolean } = {},
): AsyncGenerator<TreeEntry> {
  const stack = [''];
  let count = 0;
  for (let folder = stack.pop(); folder !== undefined; folder = stack.pop()) {
    for (const name of listFolder(join(root, folder)).sort()) {
      const path = folder === '' ? name : `${folder}/${name}`;
      const stat = lstatSync(toBytes(join(root, path)), { throwIfNoEntry: false });
      if (!stat || options.isLeftOut?.(path, stat.isDirectory())) continue;
      if (++count % pause === 0) {
        await breathe();
        options.signal?.throwIfAborted();
      }
      yield { path, stat };
      if (stat.isDirectory()) stack.push(path);
    }
  }
}

/**
 * Copies entries one by one, folders first, as clones where the file system can share blocks. Hard links among them stay
 * hard links, and nothing is shared with where they came from. Modes and times of folders come with {@link finish}.
 */
export class TreeCopier {
  bytes = 0;
  readonly #links = new Map<string, string>();
  readonly #folders: { path: string; mode: number; time: number }[] = [];

  /** `mode` in place of its own; set-id bits are not copied. `to` must not be there, unless both are folders. */
  copy(from: string, to: string, stat: Stats, mode = stat.mode): void {
    const time = stat.mtimeMs / 1000;
    if (stat.isDirectory()) {
      if (!lstatSync(toBytes(to), { throwIfNoEntry: false })) mkdirSync(toBytes(to));
      chmodSync(toBytes(to), 0o700);
      this.#folders.push({ path: to, mode: mode & 0o1777, time });
      return;
    }
    const known = stat.nlink > 1 ? this.#links.get(`${stat.dev}:${stat.ino}`) : undefined;
    if (known !== undefined) {
      linkSync(toBytes(known), toBytes(to));
      return;
    }
    if (stat.nlink > 1) this.#links.set(`${stat.dev}:${stat.ino}`, to);
    if (stat.isSymbolicLink()) {
      symlinkSync(readlinkSync(toBytes(from), 'buffer'), toBytes(to));
      lutimesSync(toBytes(to), time, time);
    } else if (stat.isFile()) {
      copyData(from, to, stat.mode);
      chmodSync(toBytes(to), mode & 0o1777);
      utimesSync(toBytes(to), time, time);
      this.bytes += stat.size;
    } else if (stat.isFIFO()) {
      // Node has no call for it.
      spawnSync('mkfifo', ['-m', (mode & 0o777).toString(8), '--', Buffer.from(to, 'latin1').toString()]);
    }
  }

  finish(): void {
    for (const { path, mode, time } of this.#folders.reverse()) {
      utimesSync(toBytes(path), time, time);
      chmodSync(toBytes(path), mode);
    }
    this.#folders.length = 0;
  }
}

/** Copies all that is in `from` into `to`, which is made with the mode of `from`. */
export async function copyTree(from: string, to: string, signal?: AbortSignal): Promise<number> {
  const copier = new TreeCopier();
  copier.copy(from, to, lstatSync(toBytes(from)));
  for await (const { path, stat } of walkTree(from, { signal })) copier.copy(join(from, path), join(to, path), stat);
  copier.finish();
  return copier.bytes;
}

/** What Node's calls take for a path of latin1 text. */
export function toBytes(path: string): string | Buffer {
  for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) > 126) return Buffer.from(path, 'latin1');
  return path;
}

/** The latin1 text of an ordinary path. */
export function fromText(path: string): string {
  return Buffer.from(path, 'utf8').toString('latin1');
}

export function toText(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

function join(folder: string, path: string): string {
  return path === '' ? folder : `${folder}/${path}`;
}

/** Also where its owner has no right to look inside. */
function listFolder(path: string): string[] {
  const bytes = toBytes(path);
  try {
    return readdirSync(bytes, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES') throw error;
  }
  const { mode } = lstatSync(bytes);
  chmodSync(bytes, 0o700);
  try {
    return readdirSync(bytes, 'latin1');
  } finally {
    chmodSync(bytes, mode & 0o7777);
  }
}

function copyData(from: string, to: string, mode: number): void {
  const copy = () => copyFileSync(toBytes(from), toBytes(to), constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  try {
    copy();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES' || (mode & 0o400) !== 0) throw error;
    // Nobody but root reads such a file, /etc/shadow for one, unless its owner allows it to himself.
    chmodSync(toBytes(from), 0o400);
    try {
      copy();
    } finally {
      chmodSync(toBytes(from), mode & 0o7777);
    }
  }
}
