import { fieldOf, type MapNode, type Node, positionOf } from '#cwl/node.ts';
import { stringOf } from '#cwl/reading.ts';
import { processClasses } from '#cwl/schema-processes.ts';
import { decode, splitFragment, toShortName } from '#cwl/uri.ts';
import type { ProcessEntry } from '#protocol/language.ts';

/** The processes of a document that can be run: its own, or those of its `$graph`. */
export function listEntries(root: Node): ProcessEntry[] {
  const graph = root.kind === 'list' ? root : fieldOf(root, '$graph');
  if (graph?.kind === 'list') {
    return graph.items.flatMap(item => {
      const id = stringOf(item, 'id');
      return item.kind === 'map' && id !== undefined ? toEntry(item, splitFragment(id)[1] ?? id) : [];
    });
  }
  return root.kind === 'map' ? toEntry(root, undefined) : [];
}

function toEntry(node: MapNode, id: string | undefined): ProcessEntry[] {
  const name = stringOf(node, 'class');
  // An operation is an outline: there is nothing to run.
  if (name === undefined || !processClasses.includes(name) || name === 'Operation') return [];
  const start = positionOf(node.source, node.start);
  const lineEnd = node.source.text.indexOf('\n', node.start);
  const end = positionOf(node.source, lineEnd < 0 ? node.source.text.length : lineEnd);
  const file = decode(toShortName(splitFragment(node.source.uri)[0]));
  return [{ name: stringOf(node, 'label') ?? (id === undefined ? file : id), class: name, id, range: { start, end } }];
}
