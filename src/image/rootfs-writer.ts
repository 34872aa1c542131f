import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { removeTree } from './remove-tree.ts';
import type { Member } from './tar-reader.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Writes below one folder, synchronously: that is what makes unpacking fast. Paths are relative and of latin1 text, one
 * character per byte. The caller sees to it that no component on the way is a symbolic link.
 */
export class RootfsWriter {
  /** Data written so far, holes not counted. */
  bytes = 0;
  /** Files, directories, links. */
  entries = 0;
  /** How often something was removed. */
  removals = 0;
  /** Of the file that was opened last. */
  path = '';
  /** The file that was opened last is not finished and is a link of an existing one: it has its data. */
  isLinked = false;
  readonly #folder: string;
  readonly #umask: number;
  #file = -1;
  #member: Member | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#umask = process.umask();
  }

  /** Only its owner can use it until {@link finishDirectory}, and its owner always can. */
  makeDirectory(path: string): void {
    mkdirSync(this.toPath(path), 0o700);
    this.entries++;
  }

  /** The last word on a directory: after this its owner may be unable to enter it. A negative `mtime` is not set. */
  finishDirectory(path: string, { mode, mtime }: { mode: number; mtime: number }): void {
    const full = this.toPath(path);
    if (mtime >= 0) utimesSync(full, mtime, mtime);
    // Set-id bits mean other users, and there is only one. The rootfs itself must stay open to its owner.
    chmodSync(full, (mode & 0o1777) | (path === '' ? 0o700 : 0));
  }

  /** The file that was opened last is not finished and waits for its data. */
  get isOpen(): boolean {
    return this.#file >= 0;
  }

  /** Makes a file, or a link of the existing one of the member where that is possible. */
  openFile(path: string, member: Member): void {
    this.path = path;
    this.isLinked = member.existing !== undefined && this.#tryToLink(path, member.existing.path);
    if (this.isLinked) {
      this.bytes += member.existing?.bytes ?? 0;
      this.entries++;
      return;
    }
    const mode = member.mode & 0o777;
    this.#file = openSync(this.toPath(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (mode & this.#umask) fchmodSync(this.#file, mode);
    this.#member = member;
    this.entries++;
  }

  write(data: Buffer, at: number): void {
    this.bytes += data.length;
    for (let done = 0; done < data.length; ) {
      done += this.#member?.isSparse
        ? writeSync(this.#file, data, done, data.length - done, at + done)
        : writeSync(this.#file, data, done);
    }
  }

  closeFile(): void {
    if (this.isLinked) {
      this.isLinked = false;
      return;
    }
    const member = this.#member as Member;
    if (member.isSparse) ftruncateSync(this.#file, member.size);
    futimesSync(this.#file, member.mtime, member.mtime);
    this.abandon();
  }

  /** Closes a file that will not be finished. */
  abandon(): void {
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
    this.#member = undefined;
  }

  symlink(path: string, target: string): void {
    symlinkSync(isAscii(target) ? target : Buffer.from(target, 'latin1'), this.toPath(path));
    this.entries++;
  }

  readLink(path: string): string {
    return readlinkSync(this.toPath(path), 'latin1');
  }

  link(path: string, existing: string): void {
    try {
      linkSync(this.toPath(existing), this.toPath(path));
    } catch (error) {
      // Too many links, or a file system that knows none.
      if (!['EMLINK', 'EPERM', 'ENOTSUP', 'ENOSYS', 'EXDEV'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
      this.#copy(path, existing);
    }
    this.entries++;
  }

  /** Whatever it is, with all below it. */
  remove(path: string): void {
    this.removals++;
    removeTree(this.toPath(path));
  }

  listDirectory(path: string): string[] {
    return readdirSync(this.toPath(path), 'latin1');
  }

  /** `directory`, `symlink`, `other`, or undefined where there is nothing. */
  findKind(path: string): 'directory' | 'symlink' | 'other' | undefined {
    const stat = lstatSync(this.toPath(path), { throwIfNoEntry: false });
    if (!stat) return undefined;
    return stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other';
  }

  /** A small file that no layer has. */
  writeText(path: string, text: string, mode = 0o644): void {
    writeFileSync(this.toPath(path), text, { flag: 'wx' });
    chmodSync(this.toPath(path), mode);
    this.entries++;
  }

  /** What system calls take for a path below the rootfs, or below another one. */
  toPath(path: string, folder = this.#folder): string | Buffer {
    if (path === '') return folder;
    if (isAscii(path)) return `${folder}/${path}`;
    return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);
  }

  /**
   * Not where the file has all the links that it can have, on a file system that knows none, or where it was removed:
   * then it is written like any other.
   */
  #tryToLink(path: string, existing: string | Buffer): boolean {
    try {
      linkSync(existing, this.toPath(path));
      return true;
    } catch {
      return false;
    }
  }

  #copy(path: string, existing: string): void {
    if (this.findKind(existing) === 'symlink') {
      symlinkSync(readlinkSync(this.toPath(existing), 'buffer'), this.toPath(path));
      return;
    }
    const [from, to] = [this.toPath(existing), this.toPath(path)];
    const { mode, mtimeMs } = lstatSync(from);
    // Other images may have the file as well: it is left alone where that is possible.
    const isClosed = (mode & 0o400) === 0;
    if (isClosed) chmodSync(from, 0o400);
    try {
      copyFileSync(from, to);
    } finally {
      if (isClosed) chmodSync(from, mode & 0o777);
    }
    chmodSync(to, mode & 0o777);
    utimesSync(to, mtimeMs / 1000, mtimeMs / 1000);
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 126) return false;
  return true;
}
