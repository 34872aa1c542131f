import type { EnumType, Field, FileRules, InputBinding, PrimitiveName, RecordType, Type } from './model.ts';
import { fieldOf, isNull, itemsOf, type MapNode, type Node, placeOf, problemAt, textOf } from './node.ts';
import { expandPrefix } from './parse-text.ts';
import { readInputBinding, readOutputBinding } from './read-binding.ts';
import {
  booleanOf,
  docOf,
  elementsOf,
  isExpression,
  loadListingOf,
  type Reading,
  stringOf,
  stringsOf,
} from './reading.ts';
import { suggest } from './suggest.ts';
import { resolveUri, splitFragment, toShortName } from './uri.ts';

const primitives: readonly PrimitiveName[] = [
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'string',
  'File',
  'Directory',
  'Any',
];
/** Stands for a type that could not be read: everything fits it, so that one fault is told once. */
const anything: Type = { kind: 'primitive', name: 'Any' };

/** The type in a `type`, `items` or `types` field, with the type DSL expanded (Schema Salad §Domain Specific Language for types). */
export function readType(node: Node | undefined, reading: Reading): Type {
  if (!node) return anything;
  if (node.kind === 'list') return toUnion(node.items.map(item => readType(item, reading)));
  if (node.kind === 'map') return readSchema(node, reading);
  return typeof node.value === 'string' ? readTypeName(node.value, node, reading) : anything;
}

/** A choice without choices in it, each type once; one of a single type is that type. */
export function toUnion(types: Type[]): Type {
  const members: Type[] = [];
  for (const type of types.flatMap(each => (each.kind === 'union' ? each.members : [each]))) {
    if (!members.some(member => isSame(member, type))) members.push(type);
  }
  return members.length === 1 ? (members[0] as Type) : { kind: 'union', members };
}

function isSame(one: Type, other: Type): boolean {
  if (one === other) return true;
  if (one.kind === 'primitive') return other.kind === 'primitive' && one.name === other.name;
  return (
    one.kind === 'array' &&
    other.kind === 'array' &&
    !one.inputBinding &&
    !other.inputBinding &&
    isSame(one.items, other.items)
  );
}

/** Makes the types of a `SchemaDefRequirement` known, then reads them. */
export function readSchemaDefs(nodes: Node[], reading: Reading): Type[] {
  const maps = nodes.flatMap(node => (node.kind === 'map' ? [node] : []));
  for (const node of maps) {
    const name = stringOf(node, 'name');
    if (name !== undefined) reading.types.set(toTypeUri(name, node), node);
  }
  return maps.map(node => readSchema(node, reading));
}

export function readFileRules(node: MapNode, reading: Reading): FileRules {
  const format = fieldOf(node, 'format');
  return {
    secondaryFiles: itemsOf(fieldOf(node, 'secondaryFiles')).flatMap(item => readSecondaryFile(item, reading)),
    format: itemsOf(format).flatMap(item => {
      const text = textOf(item);
      if (text === undefined) return [];
      return [isExpression(text) ? text : expandPrefix(item.source, text)];
    }),
    streamable: booleanOf(node, 'streamable') ?? false,
    loadContents: booleanOf(node, 'loadContents') ?? booleanOf(fieldOf(node, 'inputBinding'), 'loadContents') ?? false,
    loadListing: loadListingOf(node),
  };
}

function readSecondaryFile(item: Node, reading: Reading): FileRules['secondaryFiles'] {
  const text = textOf(item);
  if (text === undefined) {
    const pattern = stringOf(item, 'pattern');
    if (pattern === undefined) return [];
    const required = fieldOf(item, 'required');
    const value = required?.kind === 'scalar' ? required.value : undefined;
    return [{ pattern, required: typeof value === 'boolean' || typeof value === 'string' ? value : undefined }];
  }
  // The question mark means "optional" from v1.1 on (Schema Salad v1.1 §DSL for secondary files).
  if (reading.version === 'v1.0' || isExpression(text) || !text.endsWith('?')) return [{ pattern: text }];
  return [{ pattern: text.slice(0, -1), required: false }];
}

function readTypeName(text: string, node: Node, reading: Reading): Type {
  if (text.endsWith('?'))
    return toUnion([{ kind: 'primitive', name: 'null' }, readTypeName(text.slice(0, -1), node, reading)]);
  if (text.endsWith('[]')) return { kind: 'array', items: readTypeName(text.slice(0, -2), node, reading) };
  const primitive = primitives.find(name => name === toVocabulary(text));
  if (primitive) return { kind: 'primitive', name: primitive };
  const found = findType(text, node, reading);
  if (found) return found;
  const known = [...primitives, ...[...reading.types.keys()].map(toShortName)];
  const message = `There is no type ${text}.${suggest(text, known)}`;
  reading.problems.push(problemAt(node, 'cwl/unknown-type', message));
  return anything;
}

/** `File`, `cwl:File` and `https://w3id.org/cwl/cwl#File` are the same. */
function toVocabulary(text: string): string {
  return text.replace(
    /^(?:cwl:|https:\/\/w3id\.org\/cwl\/cwl#|xsd:|http:\/\/www\.w3\.org\/2001\/XMLSchema#|sld:|https:\/\/w3id\.org\/cwl\/salad#)/,
    '',
  );
}

function findType(text: string, node: Node, reading: Reading): Type | undefined {
  const uri = toTypeUri(text, node);
  const entry = reading.types.get(uri) ?? [...reading.types].find(([key]) => isSameType(key, uri))?.[1];
  if (entry) return readSchema(entry, reading);
  const found = reading.library.source(uri) && uri.includes('#') ? reading.library.find(uri) : undefined;
  return found?.kind === 'map' && isSchema(found) ? readSchema(found, reading) : undefined;
}

/** A bare name may stand for one that was declared further out (Schema Salad §Link resolution, refScope). */
function isSameType(key: string, uri: string): boolean {
  const [keyDocument, keyFragment = ''] = splitFragment(key);
  const [document, fragment = ''] = splitFragment(uri);
  return keyDocument === document && (keyFragment === fragment || keyFragment.endsWith(`/${fragment}`));
}

function toTypeUri(name: string, node: Node): string {
  const expanded = expandPrefix(node.source, name);
  return resolveUri(node.source.base, expanded.includes('#') || expanded !== name ? expanded : `#${expanded}`);
}

function isSchema(node: MapNode): boolean {
  return ['record', 'enum', 'array'].includes(stringOf(node, 'type') ?? '');
}

function readSchema(node: MapNode, reading: Reading): Type {
  const done = reading.schemas.get(node);
  if (done === 'open') {
    reading.problems.push(problemAt(node, 'cwl/recursive-type', 'This type contains itself.'));
    return anything;
  }
  if (done) return done;
  reading.schemas.set(node, 'open');
  const type = readNewSchema(node, reading);
  reading.schemas.set(node, type);
  return type;
}

function readNewSchema(node: MapNode, reading: Reading): Type {
  const inner = fieldOf(node, 'type');
  const kind = toVocabulary(textOf(inner) ?? '');
  const shared: { label?: string; inputBinding?: InputBinding } = {
    label: stringOf(node, 'label'),
    inputBinding: readInputBinding(fieldOf(node, 'inputBinding')),
  };
  const name = stringOf(node, 'name');
  const uri = name === undefined ? undefined : toTypeUri(name, node);
  if (kind === 'array') return { kind: 'array', items: readType(fieldOf(node, 'items'), reading), ...shared };
  if (kind === 'enum') {
    const symbols = stringsOf(node, 'symbols').map(toShortName);
    return { kind: 'enum', name: uri, symbols, ...shared } satisfies EnumType;
  }
  if (kind === 'record') {
    const fields = elementsOf(fieldOf(node, 'fields'), 'name', 'type').flatMap(element =>
      element.node.kind === 'map' ? [readField(element.id ?? '', element.node, reading)] : [],
    );
    return { kind: 'record', name: uri, fields, ...shared } satisfies RecordType;
  }
  // `type: {type: File}` is odd but allowed.
  if (inner && !isNull(inner)) return readType(inner, reading);
  return anything;
}

function readField(name: string, node: MapNode, reading: Reading): Field {
  const field: Field = {
    name: toShortName(name),
    type: readType(fieldOf(node, 'type'), reading),
    label: stringOf(node, 'label'),
    doc: docOf(node),
    inputBinding: readInputBinding(fieldOf(node, 'inputBinding')),
    outputBinding: readOutputBinding(fieldOf(node, 'outputBinding')),
    ...readFileRules(node, reading),
    place: placeOf(node),
  };
  reading.origins.set(field, node);
  return field;
}
