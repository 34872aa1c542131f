import { Failure } from '#base/failure.ts';
import { type Directory, isLeaf, isLeafKind, type Leaf, layerOf, makeDirectoryNode, makeLeaf } from './layer-tree.ts';
import { checkLink, followLink, parseMemberPath, parseWhiteout } from './member-path.ts';
import type { RootfsWriter } from './rootfs-writer.ts';
import type { Member } from './tar-reader.ts';
import type { Unpacker } from './unpack.ts';
import { notices, type UnpackReport } from './unpack-report.ts';

/** Thrown where the answer depends on a lower layer that was not read yet: begin again, from the bottom up. */
export class NeedsLowerLayers extends Error {}

/** Where a member belongs: its directory and last component, or hidden by a higher layer. */
interface Place {
  directory: Directory;
  name: string;
  /** All components, no symbolic link among them but perhaps the last. */
  parts: string[];
  /** The same, below the rootfs. */
  path: string;
}

/**
 * Unpacks layers from the top down: members of a layer that a higher one replaced or deleted are passed over. The tree
 * in memory knows the kind of every path that was written, so no path ever goes through a symbolic link on disk.
 *
 * Layers that leave out the directories of their members may mean a symbolic link of a lower layer, and hard links may
 * mean a file that a higher layer replaced: these, and what makes no sense, throw {@link NeedsLowerLayers}.
 */
export class DownwardUnpacker implements Unpacker {
  readonly #root = makeDirectoryNode();
  readonly #writer: RootfsWriter;
  readonly #report: UnpackReport;
  readonly #maximumEntries: number;
  #layer = 0;
  /** Directories of this layer that a higher layer hides. */
  readonly #hidden = new Set<string>();
  /** Directories of higher layers where this layer has something else: its later members may go through that. */
  readonly #covering = new Set<Directory>();
  /** Hard links by path whose target was not read yet. */
  readonly #links = new Map<string, { target: string; layer: number }>();
  /** Their targets in this layer: a later member of that name is not what they mean. */
  readonly #awaited = new Set<string>();
  readonly #fifos = new Map<string, number>();
  #count = 0;

  constructor(writer: RootfsWriter, report: UnpackReport, maximumEntries: number) {
    this.#writer = writer;
    this.#report = report;
    this.#maximumEntries = maximumEntries;
    this.#root.isMade = true;
  }

  /** Layers are numbered from the lowest, 0; this is called with the highest first. */
  beginLayer(layer: number): void {
    this.#layer = layer;
    this.#hidden.clear();
    this.#covering.clear();
    this.#awaited.clear();
  }

  finishMembers(): Map<string, number> {
    const links = this.#links;
    while (links.size > 0) {
      const before = links.size;
      for (const [path, { target, layer }] of links) {
        const existing = this.#findFile(parseMemberPath(target).parts, layer);
        if (existing === undefined) throw new NeedsLowerLayers(`no ${target} for ${path}`);
        // Its target may be such a link itself.
        if (links.has(existing)) continue;
        this.#writer.link(path, existing);
        links.delete(path);
      }
      if (links.size === before) throw invalid('hard links go round in a circle');
    }
    return this.#fifos;
  }

  finishDirectories(): void {
    this.#finishDirectory(this.#root, '');
  }

  begin(member: Member): boolean {
    if (++this.#count > this.#maximumEntries) {
      throw new Failure('image/too-large', `the image has more than ${this.#maximumEntries} files`);
    }
    const { parts, isOdd } = parseMemberPath(member.name);
    if (isOdd) this.#report.add(notices.odd);
    const whiteout = parseWhiteout(parts);
    if (whiteout) {
      if (whiteout.kind === 'opaque') this.#hideBelow(whiteout.parts);
      else if (whiteout.kind === 'removed') this.#whiteOut(whiteout.parts);
      return false;
    }
    if (parts.length === 0) {
      if (member.type !== '5') throw invalid(`${JSON.stringify(member.name)}, the root, is no directory`);
      this.#takeAttributes(this.#root, member);
      return false;
    }
    return member.type === '5' ? this.#placeDirectory(parts, member) : this.#placeOther(parts, member);
  }

  write(data: Buffer, at: number): void {
    this.#writer.write(data, at);
  }

  end(): void {
    this.#writer.closeFile();
  }

  #placeDirectory(parts: readonly string[], member: Member): false {
    const place = this.#findPlace(parts);
    if (!place) return this.#hide(parts);
    const { directory, name, path } = place;
    if (!directory.isMade) this.#make(place.parts, place.parts.length - 1);
    const layer = this.#layer;
    let node = directory.children.get(name);
    if (isLeaf(node)) {
      if (layerOf(node) > layer) return this.#hide(parts);
      // A later member of the same layer replaces an earlier one; a deletion is of lower layers only.
      const fresh = makeDirectoryNode();
      if (isLeafKind(node, 'whiteout')) Object.assign(fresh, { hidesBelow: layer, goneBelow: layer });
      else this.#remove(path);
      directory.children.set(name, fresh);
      node = fresh;
    } else if (!node) {
      node = makeDirectoryNode();
      directory.children.set(name, node);
    }
    if (node.goneBelow > layer) return this.#hide(parts);
    this.#takeAttributes(node, member);
    if (!node.isMade) this.#make(place.parts, place.parts.length);
    return false;
  }

  #takeAttributes(node: Directory, member: Member): void {
    if (node.entryAt === Number.POSITIVE_INFINITY || node.entryAt === this.#layer) {
      node.mode = member.mode;
      node.mtime = member.mtime;
      if (member.mode & 0o6000) this.#report.add(notices.setId);
    }
    node.entryAt = this.#layer;
  }

  #placeOther(parts: readonly string[], member: Member): boolean {
    const place = this.#findPlace(parts);
    if (!place) return false;
    const { directory, name, path } = place;
    // The layer has the directory, even where a higher one removes the member.
    if (!directory.isMade) this.#make(place.parts, place.parts.length - 1);
    const layer = this.#layer;
    const node = directory.children.get(name);
    if (isLeaf(node)) {
      if (layerOf(node) > layer) return false;
      if (member.type === '1' && this.#findPlace(parseMemberPath(member.link).parts)?.path === path) return false;
      if (!isLeafKind(node, 'whiteout')) this.#remove(path);
    } else if (node) {
      this.#checkCovered(node, member, path);
      return false;
    }
    if (this.#awaited.has(path)) throw new NeedsLowerLayers(`${path} comes after a hard link to it`);
    directory.children.set(name, this.#writeOther(path, member));
    return member.type === '0';
  }

  /** A directory of a higher layer stands where this layer has something else. */
  #checkCovered(node: Directory, member: Member, path: string): void {
    const layer = this.#layer;
    if (node.goneBelow > layer) return;
    const isAmbiguous =
      !node.isMade ||
      node.entryAt === layer ||
      node.usedAt === layer ||
      // It may be, or mean, a symbolic link that the higher layer went through.
      ((member.type === '1' || member.type === '2') && node.usedAt < node.entryAt);
    if (isAmbiguous) throw new NeedsLowerLayers(`${path} is a directory in a higher layer`);
    node.goneBelow = layer;
    this.#covering.add(node);
    if (node.hidesBelow === 0) node.hidesBelow = layer;
  }

  #writeOther(path: string, member: Member): Leaf {
    const layer = this.#layer;
    switch (member.type) {
      case '1':
        this.#link(path, member.link);
        return makeLeaf(layer, 'file');
      case '2':
        this.#writer.symlink(path, checkLink(path, member.link));
        return makeLeaf(layer, 'symlink');
      case '3':
      case '4':
        this.#report.add(notices.device);
        return makeLeaf(layer, 'skipped');
      case '6':
        this.#fifos.set(path, member.mode);
        return makeLeaf(layer, 'skipped');
      default:
        if (member.type !== '0') {
          this.#report.add(notices.socket);
          return makeLeaf(layer, 'skipped');
        }
        if (member.mode & 0o6000) this.#report.add(notices.setId);
        this.#writer.openFile(path, member);
        return makeLeaf(layer, 'file');
    }
  }

  #link(path: string, target: string): void {
    const place = this.#findPlace(parseMemberPath(target).parts);
    const node = place?.directory.children.get(place.name);
    if (!place || (node !== undefined && !(isLeaf(node) && layerOf(node) === this.#layer))) {
      throw new NeedsLowerLayers(`${path} is a hard link to ${target}`);
    }
    if (node === undefined || isLeafKind(node, 'whiteout') || this.#links.has(place.path)) {
      this.#links.set(path, { target: place.path, layer: this.#layer });
      this.#awaited.add(place.path);
    } else if (isLeafKind(node, 'skipped')) {
      throw new NeedsLowerLayers(`${path} is a hard link to what was left out`);
    } else {
      this.#writer.link(path, place.path);
    }
  }

  /** A member of this layer that a later one replaces. */
  #remove(path: string): void {
    this.#links.delete(path);
    this.#fifos.delete(path);
    this.#writer.remove(path);
  }

  #whiteOut(parts: readonly string[]): void {
    const place = this.#findPlace(parts);
    if (!place) return;
    const node = place.directory.children.get(place.name);
    if (node === undefined) {
      place.directory.children.set(place.name, makeLeaf(this.#layer, 'whiteout'));
    } else if (!isLeaf(node)) {
      if (node.usedAt === this.#layer && node.entryAt > this.#layer)
        throw new NeedsLowerLayers(`${place.path} is removed`);
      if (node.goneBelow === 0) node.goneBelow = this.#layer;
      if (node.hidesBelow === 0) node.hidesBelow = this.#layer;
    }
  }

  #hideBelow(parts: readonly string[]): void {
    // The directory itself may be known by this alone.
    const place = parts.length === 0 ? undefined : this.#findPlace([...parts, '.']);
    const node = parts.length === 0 ? this.#root : place?.directory;
    if (node && node.hidesBelow === 0) node.hidesBelow = this.#layer;
  }

  /**
   * Goes down to the directory of a member, through symbolic links of the same layer as chroot would. Undefined where a
   * higher layer hides it.
   */
  #findPlace(wanted: readonly string[]): Place | undefined {
    const layer = this.#layer;
    if (wanted.length === 0) throw new NeedsLowerLayers('a hard link to the root');
    let parts = [...wanted];
    let node = this.#root;
    let links = 0;
    for (let i = 0; ; i++) {
      if (node.hidesBelow > layer) return this.#checkHidden(parts, i);
      if (this.#covering.size > 0 && this.#covering.has(node))
        throw new NeedsLowerLayers(`${wanted.join('/')} is covered`);
      if (node.usedAt > layer) node.usedAt = layer;
      const name = parts[i] as string;
      if (i === parts.length - 1) return { directory: node, name, parts, path: parts.join('/') };
      const child = node.children.get(name);
      if (child === undefined) {
        const fresh = makeDirectoryNode();
        node.children.set(name, fresh);
        node = fresh;
      } else if (!isLeaf(child)) {
        node = child;
      } else if (layerOf(child) > layer) {
        return this.#checkHidden(parts, i + 1);
      } else if (isLeafKind(child, 'whiteout')) {
        const fresh = makeDirectoryNode();
        Object.assign(fresh, { hidesBelow: layer, goneBelow: layer });
        node.children.set(name, fresh);
        node = fresh;
      } else if (isLeafKind(child, 'symlink')) {
        if (++links > 40) throw new NeedsLowerLayers(`${wanted.join('/')} goes round in circles`);
        const target = this.#writer.readLink(parts.slice(0, i + 1).join('/'));
        parts = [...followLink(parts.slice(0, i), target), ...parts.slice(i + 1)];
        node = this.#root;
        i = -1;
      } else {
        throw new NeedsLowerLayers(`${wanted.join('/')} goes through a file`);
      }
    }
  }

  /**
   * Hidden is what lies below a directory that this layer itself has; without it, the name may go through a symbolic
   * link of a lower layer to somewhere else.
   */
  #checkHidden(parts: readonly string[], depth: number): undefined {
    if (depth === 0) return undefined;
    const parent = parts.slice(0, -1).join('/');
    if (this.#hidden.has(parent)) return undefined;
    const node = this.#findDirectory(parts.slice(0, -1));
    if (node?.entryAt === this.#layer) return undefined;
    throw new NeedsLowerLayers(`${parts.join('/')} is hidden, and its directory is not in its layer`);
  }

  #findDirectory(parts: readonly string[]): Directory | undefined {
    let node: Directory | Leaf | undefined = this.#root;
    for (const part of parts) {
      if (node === undefined || isLeaf(node)) return undefined;
      node = node.children.get(part);
    }
    return isLeaf(node) ? undefined : node;
  }

  /** Path of a file or link that `layer` or a lower one has, on disk. */
  #findFile(parts: readonly string[], layer: number): string | undefined {
    const directory = this.#findDirectory(parts.slice(0, -1));
    const leaf = directory?.children.get(parts[parts.length - 1] ?? '');
    if (!isLeaf(leaf) || layerOf(leaf) > layer) return undefined;
    return isLeafKind(leaf, 'file') || isLeafKind(leaf, 'symlink') ? parts.join('/') : undefined;
  }

  #hide(parts: readonly string[]): false {
    this.#hidden.add(parts.join('/'));
    return false;
  }

  /** Below first: a directory may get a mode that shuts its owner out. */
  #finishDirectory(node: Directory, path: string): void {
    for (const [name, child] of node.children) {
      if (!isLeaf(child) && child.isMade) this.#finishDirectory(child, path === '' ? name : `${path}/${name}`);
    }
    this.#writer.finishDirectory(path, node);
  }

  /** Makes the first `depth` components on disk. */
  #make(parts: readonly string[], depth: number): void {
    let node: Directory | Leaf | undefined = this.#root;
    for (let i = 0; i < depth; i++) {
      node = (node as Directory).children.get(parts[i] as string) as Directory;
      if (node.isMade) continue;
      this.#writer.makeDirectory(parts.slice(0, i + 1).join('/'));
      node.isMade = true;
    }
  }
}

function invalid(reason: string): Failure {
  return new Failure('image/invalid-layer', `a layer of the image is not usable: ${reason}`);
}
