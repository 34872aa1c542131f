import type { InputParameter, OutputParameter } from './model.ts';
import { fieldOf, isNull, type MapNode, type Node, placeOf, textOf } from './node.ts';
import { readInputBinding, readOutputBinding } from './read-binding.ts';
import { readFileRules, readType } from './read-type.ts';
import { readValue } from './read-value.ts';
import { docOf, type Element, elementsOf, type Reading, stringOf } from './reading.ts';
import { toShortName } from './uri.ts';

export function readInputs(node: Node | undefined, reading: Reading): InputParameter[] {
  return elementsOf(node, 'id', 'type').flatMap(element => {
    if (element.node.kind !== 'map') return [];
    const shortcut = textOf(fieldOf(element.node, 'type')) === 'stdin';
    const value = fieldOf(element.node, 'default');
    const input: InputParameter = {
      ...readShared(element, element.node, reading, shortcut),
      default: value && !isNull(value) ? readValue(value) : undefined,
      inputBinding: readInputBinding(fieldOf(element.node, 'inputBinding')),
    };
    reading.origins.set(input, element.node);
    return [input];
  });
}

export function readOutputs(node: Node | undefined, reading: Reading): OutputParameter[] {
  return elementsOf(node, 'id', 'type').flatMap(element => {
    if (element.node.kind !== 'map') return [];
    const type = textOf(fieldOf(element.node, 'type'));
    const output: OutputParameter = {
      ...readShared(element, element.node, reading, type === 'stdout' || type === 'stderr'),
      outputBinding: readOutputBinding(fieldOf(element.node, 'outputBinding')),
    };
    reading.origins.set(output, element.node);
    return [output];
  });
}

/** `isShortcut`: the type is `stdin`, `stdout` or `stderr`, which stands for a streamable File. */
function readShared(element: Element, node: MapNode, reading: Reading, isShortcut: boolean) {
  const rules = readFileRules(node, reading);
  return {
    id: toShortName(element.id ?? ''),
    type: isShortcut ? ({ kind: 'primitive', name: 'File' } as const) : readType(fieldOf(node, 'type'), reading),
    label: stringOf(node, 'label'),
    doc: docOf(node),
    ...rules,
    streamable: rules.streamable || isShortcut,
    place: placeOf({ source: element.key.source, start: element.key.start, end: endOf(element) }),
  };
}

function endOf({ key, node }: Element): number {
  return node.source === key.source ? Math.max(key.end, node.end) : key.end;
}
