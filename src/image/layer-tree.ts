import { followLink } from './member-path.ts';

/**
 * What the layers read so far have settled. Layers are read from the top down: the first to speak of a path has the
 * last word, so each path is written once and what a higher layer deletes is never written.
 */
export interface Directory {
  children: Map<string, Directory | Leaf>;
  /** Lowest layer that has an entry for it; Infinity while there is none. */
  entryAt: number;
  /** Lowest layer that named something below it. */
  usedAt: number;
  /** What layers below this one have in it is hidden: it is opaque, or was replaced. 0 hides nothing. */
  hidesBelow: number;
  /** Layers below this one have another thing of this name, which is gone. */
  goneBelow: number;
  /** It exists on disk; false while only deletions below it are known. */
  isMade: boolean;
  mode: number;
  /** Seconds since 1970; negative while no layer has it. */
  mtime: number;
}

/** What is no directory, in one number: the layer times four, and the kind. Memory is for a million of them. */
export type Leaf = number;

export const leafKinds = { file: 0, symlink: 1, whiteout: 2, skipped: 3 } as const;

export function makeLeaf(layer: number, kind: keyof typeof leafKinds): Leaf {
  return layer * 4 + leafKinds[kind];
}

export function layerOf(leaf: Leaf): number {
  return leaf >> 2;
}

export function isLeafKind(leaf: Leaf, kind: keyof typeof leafKinds): boolean {
  return (leaf & 3) === leafKinds[kind];
}

export function isLeaf(node: Directory | Leaf | undefined): node is Leaf {
  return typeof node === 'number';
}

export function makeDirectoryNode(): Directory {
  return {
    children: new Map(),
    entryAt: Number.POSITIVE_INFINITY,
    usedAt: Number.POSITIVE_INFINITY,
    hidesBelow: 0,
    goneBelow: 0,
    isMade: false,
    mode: 0o755,
    mtime: -1,
  };
}

/** Thrown where the answer depends on a lower layer that was not read yet: begin again, from the bottom up. */
export class NeedsLowerLayers extends Error {}

/** Where a member belongs: its directory and last component. */
export interface Place {
  directory: Directory;
  name: string;
  /** All components, no symbolic link among them but perhaps the last. */
  parts: string[];
  /** The same, below the rootfs. */
  path: string;
}

/** The tree of a rootfs in the making, and how the members of the layer that is being read find their places in it. */
export class LayerTree {
  readonly root = makeDirectoryNode();
  readonly #readLink: (path: string) => string;
  #layer = 0;
  /** Directories of this layer that a higher layer hides. */
  readonly #hidden = new Set<string>();
  /** Directories of higher layers where this layer has something else: its later members may go through that. */
  readonly #covering = new Set<Directory>();

  /** `readLink`: what a symbolic link that was written says. */
  constructor(readLink: (path: string) => string) {
    this.#readLink = readLink;
  }

  beginLayer(layer: number): void {
    this.#layer = layer;
    this.#hidden.clear();
    this.#covering.clear();
  }

  /** The layer has this directory, which a higher one hides. */
  hide(parts: readonly string[]): false {
    this.#hidden.add(parts.join('/'));
    return false;
  }

  /** The layer has something else where this directory of a higher one stands. */
  cover(node: Directory): void {
    this.#covering.add(node);
  }

  /**
   * Goes down to the directory of a member, through symbolic links of the same layer as chroot would. Undefined where a
   * higher layer hides it.
   */
  find(wanted: readonly string[]): Place | undefined {
    const layer = this.#layer;
    if (wanted.length === 0) throw new NeedsLowerLayers('a hard link to the root');
    let parts = [...wanted];
    let node = this.root;
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
        const target = this.#readLink(parts.slice(0, i + 1).join('/'));
        parts = [...followLink(parts.slice(0, i), target), ...parts.slice(i + 1)];
        node = this.root;
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
    let node: Directory | Leaf | undefined = this.root;
    for (const part of parts) {
      if (node === undefined || isLeaf(node)) return undefined;
      node = node.children.get(part);
    }
    return isLeaf(node) ? undefined : node;
  }

  /** Path of a file or link that `layer` or a lower one has, on disk. */
  findFile(parts: readonly string[], layer: number): string | undefined {
    const directory = this.#findDirectory(parts.slice(0, -1));
    const leaf = directory?.children.get(parts[parts.length - 1] ?? '');
    if (!isLeaf(leaf) || layerOf(leaf) > layer) return undefined;
    return isLeafKind(leaf, 'file') || isLeafKind(leaf, 'symlink') ? parts.join('/') : undefined;
  }
}
