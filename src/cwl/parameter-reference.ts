import { Failure } from '#base/failure.ts';
import type { Value } from './model.ts';

/** The keys of a parameter reference: `inputs.file["size"]` is `['inputs', 'file', 'size']`, an index is a number. */
export type Reference = (string | number)[];

const symbol = /[\p{L}\p{N}_]+/uy;
const segment = /\.([\p{L}\p{N}_]+)|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]/uy;

/** Reads the text between `$(` and `)`; undefined where it is more than a reference (CWL v1.2, Parameter references). */
export function parseReference(text: string): Reference | undefined {
  const trimmed = text.trim();
  symbol.lastIndex = 0;
  const first = symbol.exec(trimmed)?.[0];
  if (first === undefined) return undefined;
  const keys: Reference = [first];
  let at = first.length;
  while (at < trimmed.length) {
    segment.lastIndex = at;
    const match = segment.exec(trimmed);
    if (!match) return undefined;
    const [all, name, single, double, index] = match;
    const quoted = single ?? double;
    keys.push(index !== undefined ? Number(index) : (name ?? (quoted as string).replace(/\\(.)/gs, '$1')));
    at += all.length;
  }
  return keys;
}

/**
 * Looks a reference up in the parameter context (CWL v1.2, Parameter references, steps 1 to 8).
 * Throws a Failure `cwl/expression` that names the part that is missing.
 */
export function resolveReference(reference: Reference, scope: Record<string, Value>): Value {
  const [root, ...rest] = reference as [string, ...Reference];
  if (root === 'null' && rest.length === 0) return null;
  if (!Object.hasOwn(scope, root)) throw new Failure('cwl/expression', `${root} is not defined`);
  let value = scope[root] as Value;
  let path = root;
  for (const [i, key] of rest.entries()) {
    const found = lookUp(value, key, i === rest.length - 1);
    if (found === undefined) {
      const what = typeof key === 'number' ? `index ${key}` : `"${key}"`;
      throw new Failure('cwl/expression', `${path} ${describe(value)} has no ${what}`);
    }
    value = found;
    path += typeof key === 'number' ? `[${key}]` : `.${key}`;
  }
  return value;
}

/** As {@link resolveReference}, where JavaScript is there too: a text has a length. Undefined where something is missing. */
export function findReferenced(reference: Reference, scope: Record<string, Value>): Value | undefined {
  const [root, ...rest] = reference as [string, ...Reference];
  if (root === 'null' && rest.length === 0) return null;
  let value: Value | undefined = Object.hasOwn(scope, root) ? scope[root] : undefined;
  for (const [i, key] of rest.entries()) {
    if (value === undefined) return undefined;
    const isLast = i === rest.length - 1;
    value = typeof value === 'string' && isLast && key === 'length' ? value.length : lookUp(value, key, isLast);
  }
  return value;
}

function lookUp(value: Value, key: string | number, isLast: boolean): Value | undefined {
  if (typeof key === 'number') return Array.isArray(value) || typeof value === 'string' ? value[key] : undefined;
  if (Array.isArray(value)) return isLast && key === 'length' ? value.length : undefined;
  if (value === null || typeof value !== 'object') return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function describe(value: Value): string {
  if (value === null) return '(null)';
  if (Array.isArray(value)) return `(an array of ${value.length})`;
  return typeof value === 'object'
    ? `(an object with ${Object.keys(value).join(', ') || 'no fields'})`
    : `(a ${typeof value})`;
}
