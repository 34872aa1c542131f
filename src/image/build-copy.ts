import { chmodSync, lstatSync, mkdirSync, type Stats, writeFileSync } from 'node:fs';
import { Failure } from '#base/failure.ts';
import type { Source } from './build-context.ts';
import type { ModeChange } from './build-mode.ts';
import { removeTree } from './remove-tree.ts';
import { resolveInside } from './rootfs-path.ts';
import { fromText, TreeCopier, toBytes, toText } from './tree.ts';

export interface CopyOptions {
  /** Absolute, inside; with a `/` at its end it is a folder. */
  destination: string;
  /** Changes the modes of all files and folders. */
  mode?: ModeChange;
  /** The destination is a folder even without a `/`: there are several sources. */
  isFolder: boolean;
  signal?: AbortSignal;
}

/** Copies into a rootfs under construction. Its links are followed inside of it, so nothing is written outside. */
export function copyInto(rootfs: string, sources: readonly Source[], options: CopyOptions): void {
  const root = fromText(rootfs);
  const { destination, mode, signal } = options;
  const isFolder = options.isFolder || /(^|\/)\.{0,2}$/.test(destination);
  const copier = new TreeCopier();
  const opened = new Map<string, number>();
  for (const { name, place, entries, stat } of sources) {
    const target = resolveInside(root, fromText(destination));
    if (!stat.isDirectory()) {
      const found = lstatSync(toBytes(`${root}/${target}`), { throwIfNoEntry: false });
      const path = isFolder || found?.isDirectory() ? `${target}/${name}` : target;
      placeEntry(root, path, place, stat, mode, copier, opened);
      continue;
    }
    makeFolders(root, target, opened);
    // Where each folder of the source went: a link in the rootfs may have led it elsewhere.
    const places = new Map([['', target]]);
    for (const entry of entries) {
      signal?.throwIfAborted();
      const at = entry.path.lastIndexOf('/');
      const parent = places.get(entry.path.slice(0, Math.max(at, 0))) ?? target;
      const path = `${parent}/${entry.path.slice(at + 1)}`;
      places.set(entry.path, placeEntry(root, path, `${place}/${entry.path}`, entry.stat, mode, copier, opened));
    }
  }
  copier.finish();
  for (const [path, each] of [...opened].reverse()) chmodSync(toBytes(path), each);
}

/** A text of the Dockerfile as a file. */
export function writeInto(rootfs: string, destination: string, text: string, mode?: ModeChange): void {
  const root = fromText(rootfs);
  const path = resolveInside(root, fromText(destination), false);
  const opened = new Map<string, number>();
  makeFolders(root, parentOf(path), opened);
  openFolder(`${root}/${parentOf(path)}`, opened);
  clearPlace(root, path, false);
  writeFileSync(toBytes(`${root}/${path}`), text, { flag: 'wx' });
  chmodSync(toBytes(`${root}/${path}`), mode?.(0o644, false) ?? 0o644);
  for (const [folder, each] of [...opened].reverse()) chmodSync(toBytes(folder), each);
}

/** A folder and those above it, as WORKDIR makes them. */
export function makeFolderInside(rootfs: string, path: string): void {
  const root = fromText(rootfs);
  const opened = new Map<string, number>();
  makeFolders(root, resolveInside(root, fromText(path)), opened);
  for (const [folder, each] of [...opened].reverse()) chmodSync(toBytes(folder), each);
}

/** Returns where it is: not where it was wanted, if a link to a folder is there. */
function placeEntry(
  root: string,
  wanted: string,
  from: string,
  stat: Stats,
  mode: ModeChange | undefined,
  copier: TreeCopier,
  opened: Map<string, number>,
): string {
  const path = resolveInside(root, wanted, stat.isDirectory());
  const parent = parentOf(path);
  makeFolders(root, parent, opened);
  openFolder(`${root}/${parent}`, opened);
  clearPlace(root, path, stat.isDirectory());
  const changed = stat.isSymbolicLink() ? undefined : mode?.(stat.mode, stat.isDirectory());
  // Who is not root can't use a folder that is not executable.
  const own = changed !== undefined && stat.isDirectory() ? changed | 0o100 : changed;
  copier.copy(from, `${root}/${path}`, stat, own);
  return path;
}

function clearPlace(root: string, path: string, isDirectory: boolean): void {
  const place = toBytes(`${root}/${path}`);
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (!found || (found.isDirectory() && isDirectory)) return;
  if (found.isDirectory() || isDirectory) {
    const reason = isDirectory
      ? 'is no folder, and one is to be copied there'
      : 'is a folder, and a file is to be copied there';
    throw new Failure('image/copy-conflict', `/${toText(path)} ${reason}`);
  }
  removeTree(place);
}

function makeFolders(root: string, path: string, opened: Map<string, number>): void {
  let at = root;
  for (const part of path.split('/').filter(each => each !== '')) {
    const parent = at;
    at = `${at}/${part}`;
    const found = lstatSync(toBytes(at), { throwIfNoEntry: false });
    if (found?.isDirectory()) continue;
    if (found) throw new Failure('image/copy-conflict', `/${toText(at.slice(root.length + 1))} is no folder`);
    openFolder(parent, opened);
    mkdirSync(toBytes(at), { mode: 0o755 });
    chmodSync(toBytes(at), 0o755);
  }
}

/** Lets the owner write where the image forbids it; the caller puts it back. */
function openFolder(path: string, opened: Map<string, number>): void {
  const { mode } = lstatSync(toBytes(path));
  if ((mode & 0o300) === 0o300) return;
  if (!opened.has(path)) opened.set(path, mode & 0o7777);
  chmodSync(toBytes(path), (mode & 0o7777) | 0o700);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}
