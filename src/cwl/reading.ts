/** What the readers of this room share while one document becomes processes. */
import type { Problem } from '#base/problem.ts';
import type { Library } from './library.ts';
import type { LoadListing, Type, Version } from './model.ts';
import { type Entry, fieldOf, isNull, itemsOf, type MapNode, type Node, type ScalarNode, textOf } from './node.ts';
import { toShortName } from './uri.ts';

export interface Reading {
  library: Library;
  version: Version;
  problems: Problem[];
  /** Node of each object of the model, for whoever needs a finer place than the object's own. */
  origins: WeakMap<object, MapNode>;
  /** Types of `SchemaDefRequirement` in reach, by full URI; what is inherited comes from the outer workflow. */
  types: Map<string, MapNode>;
  /** Types that were read already; `open` while one is being read. */
  schemas: Map<MapNode, Type | 'open'>;
}

/** One element of an array that may be written as a map (Schema Salad §Identifier maps). */
export interface Element {
  /** The field that the map's key stands for; absent where a list's element lacks it. */
  id?: string;
  /** Where the name stands. */
  key: Entry['key'];
  /** With `mapPredicate` expanded; not a map where it is written wrongly. */
  node: Node;
}

/** `subject` is the field that a map's keys stand for, `predicate` the one that a value which is no map stands for. */
export function elementsOf(node: Node | undefined, subject: string, predicate?: string): Element[] {
  if (!node || isNull(node)) return [];
  if (node.kind === 'map') {
    return [...node.entries].map(([id, { key, value }]) => ({ id, key, node: expandElement(value, predicate, key) }));
  }
  return itemsOf(node).map(item => {
    const named = fieldOf(item, subject);
    return { id: textOf(named), key: named ?? item, node: item };
  });
}

function expandElement(value: Node, predicate: string | undefined, key: Entry['key']): Node {
  if (value.kind === 'map') return value;
  const empty: MapNode = { kind: 'map', source: value.source, start: value.start, end: value.end, entries: new Map() };
  if (predicate !== undefined) empty.entries.set(predicate, { key, value });
  else if (!isNull(value)) return value;
  return empty;
}

export function stringOf(node: Node | undefined, name: string): string | undefined {
  return textOf(fieldOf(node, name));
}

/** Strings of a field that may be one string or a list of them. */
export function stringsOf(node: Node | undefined, name: string): string[] {
  return itemsOf(fieldOf(node, name)).flatMap(item => textOf(item) ?? []);
}

export function booleanOf(node: Node | undefined, name: string): boolean | undefined {
  const value = scalarOf(fieldOf(node, name));
  return typeof value === 'boolean' ? value : undefined;
}

/** A number, or the text of an expression. */
export function numberOf(node: Node | undefined, name: string): number | string | undefined {
  const value = scalarOf(fieldOf(node, name));
  return typeof value === 'number' || typeof value === 'string' ? value : undefined;
}

export function scalarOf(node: Node | undefined): ScalarNode['value'] | undefined {
  return node?.kind === 'scalar' ? node.value : undefined;
}

/** `doc` and the like: a text, or paragraphs (CWL v1.1). */
export function docOf(node: Node | undefined): string | undefined {
  const paragraphs = stringsOf(node, 'doc');
  return paragraphs.length === 0 ? undefined : paragraphs.join('\n\n');
}

export function oneOf<T extends string>(node: Node | undefined, name: string, symbols: readonly T[]): T | undefined {
  const value = stringOf(node, name);
  return value === undefined ? undefined : symbols.find(symbol => symbol === toShortName(value));
}

const loadListings: readonly LoadListing[] = ['no_listing', 'shallow_listing', 'deep_listing'];
export function loadListingOf(node: Node | undefined): LoadListing | undefined {
  return oneOf(node, 'loadListing', loadListings);
}

/** Whether a text may hold `$(...)` or `${...}`. */
export function isExpression(text: string): boolean {
  return text.includes('$(') || text.includes('${');
}
