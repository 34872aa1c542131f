import { isDirectory, isFile, isObject } from './file-value.ts';
import { formatJson } from './json-text.ts';
import type { Json, Type, Value } from './model.ts';
import { isInt, isLong } from './number.ts';
import { formatType } from './type-text.ts';

/** Why `value` is not of `type`, for a person; undefined where it is (CWL v1.2, CWLType and the schemas of types). */
export function checkValue(value: Value | undefined, type: Type): string | undefined {
  switch (type.kind) {
    case 'primitive':
      return isPrimitive(value, type.name) ? undefined : mismatch(value, type);
    case 'enum':
      return typeof value === 'string' && type.symbols.includes(toSymbol(value, type.name))
        ? undefined
        : mismatch(value, type);
    case 'union':
      return checkUnion(value, type.members);
    case 'array': {
      if (!Array.isArray(value)) return mismatch(value, type);
      for (const [index, item] of value.entries()) {
        const reason = checkValue(item, type.items);
        if (reason) return `item ${index + 1}: ${reason}`;
      }
      return undefined;
    }
    case 'record': {
      if (!isObject(value)) return mismatch(value, type);
      for (const field of type.fields) {
        const reason = checkValue((value[field.name] ?? null) as Value, field.type);
        if (reason) return `field ${field.name}: ${reason}`;
      }
      return undefined;
    }
  }
}

/** The member of a union that a value belongs to; other types are themselves. */
export function selectType(value: Value, type: Type): Type | undefined {
  if (type.kind !== 'union') return type;
  for (const member of type.members) {
    if (checkValue(value, member) === undefined) return selectType(value, member);
  }
  return undefined;
}

function checkUnion(value: Value | undefined, members: Type[]): string | undefined {
  let reason: string | undefined;
  for (const member of members) {
    const found = checkValue(value, member);
    if (found === undefined) return undefined;
    // The member of the same shape tells best what is wrong.
    if (isAlike(value, member)) reason ??= found;
  }
  return reason ?? mismatch(value, { kind: 'union', members });
}

function isAlike(value: Value | undefined, type: Type): boolean {
  return (type.kind === 'array' && Array.isArray(value)) || (type.kind === 'record' && isObject(value));
}

function isPrimitive(value: Value | undefined, name: string): boolean {
  switch (name) {
    case 'null':
      return value === null || value === undefined;
    case 'Any':
      return value !== null && value !== undefined;
    case 'int':
      return isInt(value);
    case 'long':
      return isLong(value);
    case 'float':
    case 'double':
      return typeof value === 'number';
    case 'File':
      return isFile(value);
    case 'Directory':
      return isDirectory(value);
    case 'boolean':
      return typeof value === 'boolean';
    default:
      return typeof value === 'string';
  }
}

/** Symbols may be written with the URI of their enum. */
function toSymbol(value: string, name: string | undefined): string {
  return name !== undefined && value.startsWith(`${name}/`) ? value.slice(name.length + 1) : value;
}

function mismatch(value: Json | undefined, type: Type): string {
  return `expected ${formatType(type)}, got ${describe(value)}`;
}

function describe(value: Json | undefined): string {
  if (value === undefined || value === null) return 'nothing';
  if (isFile(value) || isDirectory(value)) return `a ${value.class}`;
  const text = formatJson(value);
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  if (Array.isArray(value)) return `an array: ${short}`;
  return typeof value === 'object' ? `an object: ${short}` : `the ${typeof value} ${short}`;
}
