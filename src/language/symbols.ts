import { type DocumentSymbol, SymbolKind } from 'vscode-languageserver';
import { type Entry, fieldOf, type MapNode, type Node, rangeOf, textOf } from '#cwl/node.ts';
import { type Element, elementsOf, stringOf } from '#cwl/reading.ts';
import { toShortName } from '#cwl/uri.ts';

/** Processes with their inputs, steps and outputs: the outline of a document. */
export function listSymbols(root: Node): DocumentSymbol[] {
  const graph = root.kind === 'list' ? root : fieldOf(root, '$graph');
  if (graph?.kind === 'list') return graph.items.flatMap(item => (item.kind === 'map' ? symbolOfProcess(item) : []));
  return root.kind === 'map' ? symbolOfProcess(root) : [];
}

function symbolOfProcess(node: MapNode): DocumentSymbol[] {
  const kind = stringOf(node, 'class');
  if (kind === undefined) return [];
  const id = stringOf(node, 'id');
  const name = id === undefined ? (stringOf(node, 'label') ?? kind) : toShortName(id);
  const range = rangeOf(node);
  const at = node.entries.get('class')?.key;
  const children = [
    ...symbolsOf(fieldOf(node, 'inputs'), SymbolKind.Field, 'type'),
    ...elementsOf(fieldOf(node, 'steps'), 'id').flatMap(symbolOfStep),
    ...symbolsOf(fieldOf(node, 'outputs'), SymbolKind.Property, 'type'),
  ];
  const symbolKind = kind === 'Workflow' ? SymbolKind.Module : SymbolKind.Class;
  return [{ name, detail: kind, kind: symbolKind, range, selectionRange: at ? rangeOf(at) : range, children }];
}

function symbolOfStep(element: Element): DocumentSymbol[] {
  const run = fieldOf(element.node, 'run');
  const children = run?.kind === 'map' ? symbolOfProcess(run) : [];
  return symbolOf(element, SymbolKind.Function, textOf(run) ?? '', children);
}

function symbolsOf(node: Node | undefined, kind: SymbolKind, field: string): DocumentSymbol[] {
  return elementsOf(node, 'id', field).flatMap(element =>
    symbolOf(element, kind, stringOf(element.node, field) ?? '', []),
  );
}

function symbolOf(
  { id, key, node }: Element,
  kind: SymbolKind,
  detail: string,
  children: DocumentSymbol[],
): DocumentSymbol[] {
  const isElsewhere = node.source !== key.source;
  const span: Entry['key'] = {
    source: key.source,
    start: isElsewhere ? key.start : Math.min(key.start, node.start),
    end: isElsewhere ? key.end : Math.max(key.end, node.end),
  };
  return id
    ? [{ name: toShortName(id), detail, kind, range: rangeOf(span), selectionRange: rangeOf(key), children }]
    : [];
}
