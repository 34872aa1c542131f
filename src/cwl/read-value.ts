import type { Json, Value } from './model.ts';
import { define, fieldOf, type MapNode, type Node, textOf } from './node.ts';
import { expandPrefix } from './parse-text.ts';
import { pathToReference, resolveUri } from './uri.ts';

/**
 * A value of a parameter as plain JSON. Files and Directories in it get an absolute `location` (of a `path` too, which
 * is dropped), and a `format` in full (CWL v1.2, Process §File).
 */
export function readValue(node: Node): Value {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(readValue);
  const value: { [key: string]: Json } = {};
  for (const [name, entry] of node.entries) define(value, name, readValue(entry.value));
  return isFileNode(node) ? finishFile(node, value) : value;
}

/** True for the object of a File or Directory. */
export function isFileNode(node: Node): boolean {
  const name = textOf(fieldOf(node, 'class'));
  return name === 'File' || name === 'Directory';
}

function finishFile(node: MapNode, value: { [key: string]: Json }): Value {
  const base = (name: string) => node.entries.get(name)?.value.source ?? node.source;
  if (typeof value.location === 'string') {
    value.location = resolveLocation(base('location').base, value.location);
    delete value.path;
  } else if (typeof value.path === 'string') {
    value.location = resolveUri(base('path').base, pathToReference(value.path));
    delete value.path;
  }
  if (typeof value.format === 'string') value.format = expandPrefix(base('format'), value.format);
  return value;
}

function resolveLocation(base: string, location: string): string {
  // Absolute paths are often written where a URI belongs, with characters that a URI does not have.
  return location.startsWith('_:') ? location : resolveUri(base, location);
}
