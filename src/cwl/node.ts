/** A document as a tree in which every node knows where it stands. */
import type { Problem, Range } from '#base/problem.ts';
import type { Json, Place } from './model.ts';

/** One text that was read: what its nodes need to tell where they are, and to resolve what they refer to. */
export interface Source {
  uri: string;
  text: string;
  /** Against which references in it are resolved: `$base`, or its URI. */
  base: string;
  /** Prefixes of `$namespaces`. */
  namespaces: Map<string, string>;
  /** Offsets at which its lines begin; filled on first use. */
  lineStarts?: number[];
}

/** `start` and `end` are offsets into the text of `source`. */
interface Span {
  source: Source;
  start: number;
  end: number;
}
export interface ScalarNode extends Span {
  kind: 'scalar';
  value: null | boolean | number | string;
}
export interface ListNode extends Span {
  kind: 'list';
  items: Node[];
}
export interface MapNode extends Span {
  kind: 'map';
  entries: Map<string, Entry>;
}
export type Node = ScalarNode | ListNode | MapNode;
/** One field of a map. */
export interface Entry {
  key: Span;
  value: Node;
}

export function rangeOf({ source, start, end }: Span): Range {
  return { start: positionOf(source, start), end: positionOf(source, Math.max(start, end)) };
}

export function placeOf(span: Span): Place {
  return { uri: span.source.uri, range: rangeOf(span) };
}

export function problemAt(span: Span, code: string, message: string, severity: Problem['severity'] = 'error'): Problem {
  return { code, message, severity, uri: span.source.uri, range: rangeOf(span) };
}

export function fieldOf(node: Node | undefined, name: string): Node | undefined {
  return node?.kind === 'map' ? node.entries.get(name)?.value : undefined;
}

export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

export function isNull(node: Node | undefined): boolean {
  return node === undefined || (node.kind === 'scalar' && node.value === null);
}

/** The items of a list; a single value counts as a list of one, nothing as an empty one. */
export function itemsOf(node: Node | undefined): Node[] {
  if (node === undefined || isNull(node)) return [];
  return node.kind === 'list' ? node.items : [node];
}

/** The plain value without its places. */
export function toJson(node: Node): Json {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toJson);
  const value: { [key: string]: Json } = {};
  for (const [name, entry] of node.entries) define(value, name, toJson(entry.value));
  return value;
}

/** Sets a field of a plain object, also one that is called `__proto__`. */
export function define(object: { [key: string]: Json }, name: string, value: Json): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  else object[name] = value;
}

/** The offset of a position; beyond the text it is the end of the text. */
export function offsetOf(source: Source, position: { line: number; character: number }): number {
  const starts = lineStartsOf(source);
  const start = starts[position.line];
  return start === undefined ? source.text.length : Math.min(start + position.character, source.text.length);
}

export function positionOf(source: Source, offset: number): { line: number; character: number } {
  const starts = lineStartsOf(source);
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low, character: offset - (starts[low] as number) };
}

function lineStartsOf(source: Source): number[] {
  if (source.lineStarts) return source.lineStarts;
  const starts = [0];
  for (let at = source.text.indexOf('\n'); at >= 0; at = source.text.indexOf('\n', at + 1)) starts.push(at + 1);
  source.lineStarts = starts;
  return starts;
}
