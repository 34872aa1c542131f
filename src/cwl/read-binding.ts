import type { InputBinding, OutputBinding } from './model.ts';
import { isNull, type Node, placeOf } from './node.ts';
import { booleanOf, loadListingOf, numberOf, stringOf, stringsOf } from './reading.ts';

/** CWL v1.2, CommandLineTool §CommandLineBinding. */
export function readInputBinding(node: Node | undefined): InputBinding | undefined {
  if (!node || isNull(node) || node.kind !== 'map') return undefined;
  return {
    position: numberOf(node, 'position'),
    prefix: stringOf(node, 'prefix'),
    separate: booleanOf(node, 'separate') ?? true,
    itemSeparator: stringOf(node, 'itemSeparator'),
    valueFrom: stringOf(node, 'valueFrom'),
    shellQuote: booleanOf(node, 'shellQuote') ?? true,
    loadContents: booleanOf(node, 'loadContents') ?? false,
    place: placeOf(node),
  };
}

/** CWL v1.2, CommandLineTool §CommandOutputBinding. */
export function readOutputBinding(node: Node | undefined): OutputBinding | undefined {
  if (!node || isNull(node) || node.kind !== 'map') return undefined;
  return {
    glob: stringsOf(node, 'glob'),
    loadContents: booleanOf(node, 'loadContents') ?? false,
    loadListing: loadListingOf(node),
    outputEval: stringOf(node, 'outputEval'),
    place: placeOf(node),
  };
}
