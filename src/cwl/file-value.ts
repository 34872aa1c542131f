import type { Value } from './model.ts';
import { define } from './node.ts';
import { decode, splitFragment } from './uri.ts';

/** A File object (CWL v1.2, Process §File). `path` is set only while a task runs, and is a path inside its sandbox. */
export type FileValue = {
  class: 'File';
  location?: string;
  path?: string;
  basename?: string;
  dirname?: string;
  nameroot?: string;
  nameext?: string;
  checksum?: string;
  size?: number;
  secondaryFiles?: PathValue[];
  format?: string;
  contents?: string;
};
/** A Directory object (CWL v1.2, Process §Directory). */
export type DirectoryValue = {
  class: 'Directory';
  location?: string;
  path?: string;
  basename?: string;
  listing?: PathValue[];
};
export type PathValue = FileValue | DirectoryValue;

export function isFile(value: unknown): value is FileValue {
  return isObject(value) && value.class === 'File';
}

export function isDirectory(value: unknown): value is DirectoryValue {
  return isObject(value) && value.class === 'Directory';
}

export function isPath(value: unknown): value is PathValue {
  return isObject(value) && (value.class === 'File' || value.class === 'Directory');
}

/** All Files and Directories in a value, outermost only: not secondary files nor listings. */
export function findPaths(value: unknown, found: PathValue[] = []): PathValue[] {
  if (isPath(value)) found.push(value);
  else if (Array.isArray(value)) for (const item of value) findPaths(item, found);
  else if (isObject(value)) for (const item of Object.values(value)) findPaths(item, found);
  return found;
}

/** A copy in which every outermost File and Directory went through `change`. */
export function mapPaths(value: Value, change: (path: PathValue) => PathValue): Value {
  if (isPath(value)) return change(value) as Value;
  if (Array.isArray(value)) return value.map(item => mapPaths(item, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapPaths(item, change)]));
}

/** A copy that shares nothing with the value: many times as fast as structuredClone for what a task has. */
export function cloneValue<T extends Value | undefined>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cloneValue) as unknown as T;
  const copy: { [key: string]: Value } = {};
  for (const key of Object.keys(value))
    define(copy, key, cloneValue((value as { [key: string]: Value })[key]) as Value);
  return copy as T;
}

/** `nameroot` and `nameext` of a base name; leading periods belong to the root (CWL v1.2, File.nameroot). */
export function splitName(basename: string): { nameroot: string; nameext: string } {
  const at = basename.lastIndexOf('.');
  const isHidden = /^\.*$/.test(basename.slice(0, Math.max(at, 0)));
  if (at < 0 || isHidden) return { nameroot: basename, nameext: '' };
  return { nameroot: basename.slice(0, at), nameext: basename.slice(at) };
}

/** The final component of a location or path (CWL v1.2, File.basename). */
export function toBasename(location: string): string {
  const [document] = splitFragment(location);
  const trimmed = document.replace(/[?].*$/, '').replace(/\/+$/, '');
  return decode(trimmed.slice(trimmed.lastIndexOf('/') + 1));
}

/** The final component of a local path, in which `#`, `?` and `%` mean themselves. */
export function toPathBasename(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

/** Sets `path` and what follows from it: `dirname`, and `basename`, `nameroot` and `nameext` (for Files). */
export function setPath(value: PathValue, path: string): void {
  value.path = path;
  value.basename = toPathBasename(path);
  if (value.class !== 'File') return;
  value.dirname = path.slice(0, path.length - value.basename.length - 1) || '/';
  Object.assign(value, splitName(value.basename));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
