import { Failure } from '#base/failure.ts';
import {
  type Directory,
  isLeaf,
  isLeafKind,
  LayerTree,
  type Leaf,
  layerOf,
  makeDirectoryNode,
  makeLeaf,
  NeedsLowerLayers,
} from './layer-tree.ts';
import { checkLink, parseMemberPath, parseWhiteout } from './member-path.ts';
import type { RootfsWriter } from './rootfs-writer.ts';
import type { Member } from './tar-reader.ts';
import type { Unpacker } from './unpack.ts';
import { notices, type UnpackReport } from './unpack-report.ts';

/**
 * Unpacks layers from the top down: members of a layer that a higher one replaced or deleted are passed over. The tree
 * in memory knows the kind of every path that was written, so no path ever goes through a symbolic link on disk.
 *
 * Layers that leave out the directories of their members may mean a symbolic link of a lower layer, and hard links may
 * mean a file that a higher layer replaced: these, and what makes no sense, throw {@link NeedsLowerLayers}.
 */
export class DownwardUnpacker implements Unpacker {
  readonly #tree: LayerTree;
  readonly #writer: RootfsWriter;
  readonly #report: UnpackReport;
  readonly #maximumEntries: number;
  #layer = 0;
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
    this.#tree = new LayerTree(path => writer.readLink(path));
    this.#tree.root.isMade = true;
  }

  /** Layers are numbered from the lowest, 0; this is called with the highest first. */
  beginLayer(layer: number): void {
    this.#layer = layer;
    this.#tree.beginLayer(layer);
    this.#awaited.clear();
  }

  finishMembers(): Map<string, number> {
    const links = this.#links;
    while (links.size > 0) {
      const before = links.size;
      for (const [path, { target, layer }] of links) {
        const existing = this.#tree.findFile(parseMemberPath(target).parts, layer);
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
    this.#finishDirectory(this.#tree.root, '');
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
      this.#takeAttributes(this.#tree.root, member);
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
    const place = this.#tree.find(parts);
    if (!place) return this.#tree.hide(parts);
    const { directory, name, path } = place;
    if (!directory.isMade) this.#make(place.parts, place.parts.length - 1);
    const layer = this.#layer;
    let node = directory.children.get(name);
    if (isLeaf(node)) {
      if (layerOf(node) > layer) return this.#tree.hide(parts);
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
    if (node.goneBelow > layer) return this.#tree.hide(parts);
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
    const place = this.#tree.find(parts);
    if (!place) return false;
    const { directory, name, path } = place;
    // The layer has the directory, even where a higher one removes the member.
    if (!directory.isMade) this.#make(place.parts, place.parts.length - 1);
    const layer = this.#layer;
    const node = directory.children.get(name);
    if (isLeaf(node)) {
      if (layerOf(node) > layer) return false;
      if (member.type === '1' && this.#tree.find(parseMemberPath(member.link).parts)?.path === path) return false;
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
    this.#tree.cover(node);
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
    const place = this.#tree.find(parseMemberPath(target).parts);
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
    const place = this.#tree.find(parts);
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
    const place = parts.length === 0 ? undefined : this.#tree.find([...parts, '.']);
    const node = parts.length === 0 ? this.#tree.root : place?.directory;
    if (node && node.hidesBelow === 0) node.hidesBelow = this.#layer;
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
    let node: Directory | Leaf | undefined = this.#tree.root;
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
