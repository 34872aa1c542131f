import type { Problem } from '#base/problem.ts';
import type { PrimitiveName, RecordType, Type } from './model.ts';
import { fieldOf, isNull, type Node, problemAt, textOf } from './node.ts';
import { isInt, isLong } from './number.ts';
import { isFileNode } from './read-value.ts';
import { nameOfNode } from './shape-text.ts';
import { suggest } from './suggest.ts';
import { formatType, isOptional, membersOf } from './type-text.ts';

/** Whether a value as it is written fits `type`; each fault at the innermost node that is wrong. `name` is what people call it. */
export function checkValue(node: Node, type: Type, name: string): Problem[] {
  const members = membersOf(type);
  let nearest: Problem[] | undefined;
  for (const member of members) {
    const problems = checkMember(node, member, name);
    if (problems.length === 0) return [];
    // Of several choices, tell of the one whose outer form was right.
    if (isSameForm(node, member)) nearest ??= problems;
  }
  return (
    nearest ?? [
      problemAt(
        node,
        'cwl/wrong-type',
        `${name} takes ${formatType(type)}, not ${nameOfNode(node)}.${adviseFile(node, members)}`,
      ),
    ]
  );
}

function checkMember(node: Node, type: Type, name: string): Problem[] {
  const wrong = () => [
    problemAt(
      node,
      'cwl/wrong-type',
      `${name} takes ${formatType(type)}, not ${nameOfNode(node)}.${adviseFile(node, [type])}`,
    ),
  ];
  switch (type.kind) {
    case 'primitive':
      if (!isPrimitive(node, type.name)) return wrong();
      return type.name === 'long' ? checkRounding(node, name) : [];
    case 'array':
      return node.kind === 'list'
        ? node.items.flatMap((item, index) => checkValue(item, type.items, `${name}[${index}]`))
        : wrong();
    case 'enum': {
      const text = textOf(node);
      if (text === undefined) return wrong();
      if (type.symbols.includes(text)) return [];
      const message = `${name} is ${formatType(type)}, not ${JSON.stringify(text)}.${suggest(text, type.symbols)}`;
      return [problemAt(node, 'cwl/wrong-value', message)];
    }
    case 'record':
      return node.kind === 'map' ? checkRecord(node, type, name) : wrong();
    case 'union':
      return checkValue(node, type, name);
  }
}

/** A long that would reach the tool as another number than the one that is written. */
function checkRounding(node: Node, name: string): Problem[] {
  const text = node.source.text.slice(node.start, node.end).replace(/^\+/, '');
  const value = node.kind === 'scalar' ? node.value : undefined;
  if (!isLong(value) || !/^-?\d+$/.test(text) || BigInt(text) === BigInt(value)) return [];
  const message = `${name} would be rounded to ${BigInt(value)}: whole numbers beyond ${Number.MAX_SAFE_INTEGER} are not exact here. Let the tool take a string.`;
  return [problemAt(node, 'cwl/rounded', message)];
}

function checkRecord(node: Node, type: RecordType, name: string): Problem[] {
  return type.fields.flatMap(field => {
    const value = fieldOf(node, field.name);
    if (value && !isNull(value)) return checkValue(value, field.type, `${name}.${field.name}`);
    if (isOptional(field.type)) return [];
    const message = `${name} lacks the field ${field.name}: it takes ${formatType(field.type)}.`;
    return [problemAt(value ?? node, 'cwl/missing-field', message)];
  });
}

function isPrimitive(node: Node, name: PrimitiveName): boolean {
  const value = node.kind === 'scalar' ? node.value : undefined;
  switch (name) {
    case 'null':
      return value === null;
    case 'Any':
      return value !== null;
    case 'boolean':
    case 'string':
      return typeof value === name;
    case 'int':
      return isInt(value);
    case 'long':
      return isLong(value);
    case 'float':
    case 'double':
      return typeof value === 'number';
    case 'File':
    case 'Directory':
      return isFileNode(node) && textOf(fieldOf(node, 'class')) === name;
  }
}

function isSameForm(node: Node, type: Type): boolean {
  if (type.kind === 'array') return node.kind === 'list';
  if (type.kind === 'record') return node.kind === 'map';
  if (type.kind === 'primitive') return isPrimitive(node, type.name);
  return type.kind === 'enum' && textOf(node) !== undefined;
}

function adviseFile(node: Node, types: Type[]): string {
  const path = textOf(node);
  const isClassLess =
    node.kind === 'map' && (node.entries.has('path') || node.entries.has('location')) && !node.entries.has('class');
  const file = types.find(type => type.kind === 'primitive' && (type.name === 'File' || type.name === 'Directory'));
  if (file?.kind !== 'primitive' || (path === undefined && !isClassLess)) return '';
  return isClassLess ? ` Add class: ${file.name}.` : ` Write {class: ${file.name}, path: ${path}}.`;
}
