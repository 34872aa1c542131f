import { fieldOf, type Node, textOf } from './node.ts';
import { isFileNode } from './read-value.ts';
import type { Shape } from './schema.ts';

/** Shapes as a person would say them: `a string or a list`. */
export function formatShapes(shapes: readonly Shape[]): string {
  return [...new Set(shapes.map(formatShape))].join(' or ');
}

function formatShape(shape: Shape): string {
  if (typeof shape === 'object') {
    if ('symbols' in shape) return `one of ${shape.symbols.join(', ')}`;
    if ('list' in shape) {
      const items = Array.isArray(shape.list) ? (shape.list as readonly Shape[]) : [shape.list as Shape];
      return items.every(item => item === 'string')
        ? 'a list of strings'
        : items.every(item => item === 'int')
          ? 'a list of integers'
          : 'a list';
    }
    if ('record' in shape) return `a map (${shape.record})`;
    return 'a map or a list';
  }
  const names: Record<Exclude<Shape, object>, string> = {
    string: 'a string',
    boolean: 'true or false',
    int: 'an integer',
    number: 'a number',
    expression: 'an expression such as $(inputs.x)',
    any: 'any value',
    type: 'a type',
    process: 'a process or a reference to one',
    secondaryFile: 'a pattern',
    requirements: 'a map or a list',
    hints: 'a map or a list',
    file: 'a File or Directory',
  };
  return names[shape];
}

/** What stands there instead. */
export function nameOfNode(node: Node): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return isFileNode(node) ? `a ${textOf(fieldOf(node, 'class'))}` : 'a map';
  if (typeof node.value === 'string')
    return node.value.length > 40 ? 'a string' : `the string ${JSON.stringify(node.value)}`;
  return typeof node.value === 'number' ? `the number ${node.value}` : String(node.value);
}
