import { Failure } from '#base/failure.ts';
import { checkLink, followLink, parseMemberPath, parseWhiteout } from './member-path.ts';
import type { RootfsWriter } from './rootfs-writer.ts';
import type { Member } from './tar-reader.ts';
import type { Unpacker } from './unpack.ts';
import { notices, type UnpackReport } from './unpack-report.ts';

interface Directory {
  mode: number;
  mtime: number;
  known: Set<string>;
}

/**
 * Unpacks layers from the bottom up, each over the ones below, as container engines do. Slower than from the top down:
 * it is for the odd layers whose members mean something else depending on the layers below.
 */
export class UpwardUnpacker implements Unpacker {
  readonly #writer: RootfsWriter;
  readonly #report: UnpackReport;
  readonly #maximumEntries: number;
  /** All directories by path, with the paths in them that any of the maps here knows. */
  readonly #directories = new Map<string, Directory>([['', { mode: 0o755, mtime: -1, known: new Set() }]]);
  /** Paths that the current layer has: its whiteouts spare them. */
  readonly #fresh = new Set<string>();
  /** Directories that hold nothing older than the current layer: to say so again changes nothing. */
  readonly #emptied = new Set<string>();
  readonly #fifos = new Map<string, number>();
  /** What was left out, by path: hard links to it are too. */
  readonly #skipped = new Map<string, string>();
  #count = 0;

  constructor(writer: RootfsWriter, report: UnpackReport, maximumEntries: number) {
    this.#writer = writer;
    this.#report = report;
    this.#maximumEntries = maximumEntries;
  }

  beginLayer(): void {
    this.#fresh.clear();
    this.#emptied.clear();
  }

  finishMembers(): Map<string, number> {
    return this.#fifos;
  }

  finishDirectories(): void {
    const deepestFirst = [...this.#directories].sort(([a], [b]) => (a < b ? 1 : -1));
    for (const [path, attributes] of deepestFirst) this.#writer.finishDirectory(path, attributes);
  }

  begin(member: Member): boolean {
    if (++this.#count > this.#maximumEntries) {
      throw new Failure('image/too-large', `the image has more than ${this.#maximumEntries} files`);
    }
    const { parts, isOdd } = parseMemberPath(member.name);
    if (isOdd) this.#report.add(notices.odd);
    const whiteout = parseWhiteout(parts);
    if (whiteout) {
      if (whiteout.kind === 'opaque') this.#empty(whiteout.parts);
      else if (whiteout.kind === 'removed') this.#whiteOut(whiteout.parts);
      return false;
    }
    if (parts.length === 0) {
      if (member.type !== '5') throw invalid(`${JSON.stringify(member.name)}, the root, is no directory`);
      this.#setDirectory('', member);
      return false;
    }
    const parent = this.#enter(parts.slice(0, -1), true);
    const path = [...(parent as string[]), parts[parts.length - 1]].join('/');
    return member.type === '5' ? this.#placeDirectory(path, member) : this.#placeOther(path, member);
  }

  write(data: Buffer, at: number): void {
    this.#writer.write(data, at);
  }

  end(): void {
    this.#writer.closeFile();
  }

  #placeDirectory(path: string, member: Member): false {
    if (member.mode & 0o6000) this.#report.add(notices.setId);
    if (!this.#directories.has(path)) {
      this.#remove(path);
      this.#writer.makeDirectory(path);
    }
    this.#setDirectory(path, member);
    this.#refresh(path);
    return false;
  }

  #placeOther(path: string, member: Member): boolean {
    const existing = member.type === '1' ? this.#findLinkTarget(path, member.link) : undefined;
    if (existing === path) return false;
    if (existing !== undefined && isBelow(existing, path)) throw invalid(`${path} is a hard link into itself`);
    this.#remove(path);
    this.#refresh(path);
    if (existing !== undefined) {
      const mode = this.#fifos.get(existing);
      const notice = this.#skipped.get(existing);
      if (mode !== undefined) this.#fifos.set(path, mode);
      else if (notice !== undefined) this.#skip(path, notice);
      else this.#writer.link(path, existing);
    } else if (member.type === '2') {
      this.#writer.symlink(path, checkLink(path, member.link));
    } else if (member.type === '0') {
      if (member.mode & 0o6000) this.#report.add(notices.setId);
      this.#writer.openFile(path, member);
      return true;
    } else if (member.type === '6') {
      this.#fifos.set(path, member.mode);
    } else {
      this.#skip(path, member.type === '3' || member.type === '4' ? notices.device : notices.socket);
    }
    return false;
  }

  #skip(path: string, notice: string): void {
    this.#skipped.set(path, notice);
    this.#report.add(notice);
  }

  #findLinkTarget(path: string, link: string): string {
    const { parts } = parseMemberPath(link);
    const parent = this.#enter(parts.slice(0, -1), false);
    const target = parent && [...parent, parts[parts.length - 1]].join('/');
    const isUnwritten = target !== undefined && (this.#fifos.has(target) || this.#skipped.has(target));
    const kind = target === undefined || isUnwritten ? 'other' : this.#writer.findKind(target);
    if (target === undefined || kind === undefined || kind === 'directory') {
      throw invalid(`${path} is a hard link to ${link}, which is no file of the image`);
    }
    return target;
  }

  #whiteOut(parts: readonly string[]): void {
    const parent = this.#enter(parts.slice(0, -1), false);
    if (parent) this.#removeOlder([...parent, parts[parts.length - 1]].join('/'));
  }

  #empty(parts: readonly string[]): void {
    const directory = this.#enter(parts, false)?.join('/');
    if (directory === undefined) return;
    this.#emptyOlder(directory);
  }

  /** What came from lower layers at or below `path`. */
  #removeOlder(path: string): void {
    if (!this.#fresh.has(path)) this.#remove(path);
    else if (this.#directories.has(path)) this.#emptyOlder(path);
  }

  #emptyOlder(directory: string): void {
    if (this.#emptied.has(directory)) return;
    this.#emptied.add(directory);
    const names = this.#writer.listDirectory(directory).map(name => (directory === '' ? name : `${directory}/${name}`));
    // What was left out, or is made later, is on no disk.
    const unwritten = [...(this.#directories.get(directory)?.known ?? [])];
    for (const path of new Set([...names, ...unwritten])) this.#removeOlder(path);
  }

  /** With all below it. What is known of it is found from directory to directory: each path costs once what it is. */
  #remove(path: string): void {
    this.#directories.get(parentOf(path))?.known.delete(path);
    const todo = [path];
    for (let each = todo.pop(); each !== undefined; each = todo.pop()) {
      this.#fifos.delete(each);
      this.#skipped.delete(each);
      this.#fresh.delete(each);
      const directory = this.#directories.get(each);
      this.#directories.delete(each);
      for (const below of directory?.known ?? []) todo.push(below);
    }
    this.#writer.remove(path);
  }

  #refresh(path: string): void {
    this.#fresh.add(path);
    this.#directories.get(parentOf(path))?.known.add(path);
  }

  #setDirectory(path: string, { mode, mtime }: { mode: number; mtime: number }): void {
    this.#directories.set(path, { mode, mtime, known: this.#directories.get(path)?.known ?? new Set() });
  }

  /** The directory that `wanted` means, through symbolic links as chroot would; undefined if there is none. */
  #enter(wanted: readonly string[], isMaking: boolean): string[] | undefined {
    let parts = [...wanted];
    let links = 0;
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = parts.slice(0, depth).join('/');
      if (isMaking) this.#refresh(path);
      if (this.#directories.has(path)) continue;
      const kind = this.#writer.findKind(path);
      if (kind === 'symlink') {
        if (++links > 40) throw invalid(`${wanted.join('/')} goes round in a circle of symbolic links`);
        parts = [...followLink(parts.slice(0, depth - 1), this.#writer.readLink(path)), ...parts.slice(depth)];
        depth = 0;
      } else if (kind !== undefined) {
        if (!isMaking) return undefined;
        throw invalid(`${path} is used as a directory and is none`);
      } else if (isMaking) {
        this.#writer.makeDirectory(path);
        this.#setDirectory(path, { mode: 0o755, mtime: -1 });
      } else return undefined;
    }
    return parts;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`);
}

function invalid(reason: string): Failure {
  return new Failure('image/invalid-layer', `a layer of the image is not usable: ${reason}`);
}
