import type { Location } from 'vscode-languageserver';
import { Library } from '#cwl/library.ts';
import { type Node, placeOf, textOf } from '#cwl/node.ts';
import type { Reader } from '#cwl/reader.ts';
import { resolveUri, splitFragment } from '#cwl/uri.ts';
import { findSource } from './links.ts';
import { findSpot } from './spot.ts';

/** Where the document, process or source that is named at `offset` is declared. */
export async function findDefinition(root: Node, offset: number, reader: Reader): Promise<Location | null> {
  const spot = findSpot(root, offset);
  const { value, entry } = spot;
  const text = textOf(value);
  if (!value || !entry || text === undefined || spot.isKey) return null;
  if (spot.field === 'run' || /^\$(?:import|include|mixin)$/.test(spot.field ?? '')) {
    return findDocument(resolveUri(value.source.base, text), reader);
  }
  if (spot.field !== 'source' && spot.field !== 'outputSource') return null;
  const workflow = spot.processes.at(-1);
  const source = workflow && findSource(workflow, text);
  return source ? placeOf(source.at) : null;
}

async function findDocument(uri: string, reader: Reader): Promise<Location> {
  const start = { line: 0, character: 0 };
  const [document, fragment] = splitFragment(uri);
  const whole = { uri: document, range: { start, end: start } };
  if (fragment === undefined) return whole;
  const library = new Library(reader);
  await library.read(document);
  const node = library.find(uri);
  return node ? placeOf(node) : whole;
}
