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
