import type { Problem } from '#base/problem.ts';
import { fieldOf, type Node, problemAt, type Source, textOf } from './node.ts';
import { parseQuickly } from './quick-yaml.ts';
import { resolveUri } from './uri.ts';

/** One text as a tree; without a root where it is empty or beyond the limits. */
export interface ParsedText {
  source: Source;
  root?: Node;
  problems: Problem[];
}

/** Characters; packed workflows of hundreds of tools have one or two million. */
const sizeLimit = 32 * 1024 * 1024;
/** The general reader takes a second or two for each million characters, and nobody can interrupt it. */
const generalLimit = 4 * 1024 * 1024;

/** Reads a YAML or JSON text; every fault of its syntax becomes a problem. */
export async function parseText(uri: string, text: string): Promise<ParsedText> {
  const source: Source = { uri, text, base: uri, namespaces: new Map() };
  if (text.length > sizeLimit) {
    const message = `The document has ${text.length} characters; more than ${sizeLimit} are not read.`;
    return { source, problems: [problemAt({ source, start: 0, end: 0 }, 'cwl/too-large', message)] };
  }
  const { root, problems } = await parseTree(source);
  if (!root) return { source, problems };
  readContext(source, root);
  return { source, root, problems };
}

async function parseTree(source: Source): Promise<{ root?: Node; problems: Problem[] }> {
  const root = parseQuickly(source);
  if (root) return { root, problems: [] };
  if (source.text.length > generalLimit) {
    const message = `The document has ${source.text.length} characters, and is not plain YAML or JSON: more than ${generalLimit} of the other kind are not read.`;
    return { problems: [problemAt({ source, start: 0, end: 0 }, 'cwl/too-large', message)] };
  }
  // Loaded only where it is needed: that takes longer than most documents take to read.
  const { parseYaml } = await import('./yaml-text.ts');
  return parseYaml(source);
}

/** `$base` and `$namespaces` (Schema Salad §Document context). */
function readContext(source: Source, root: Node): void {
  const base = textOf(fieldOf(root, '$base'));
  if (base !== undefined) source.base = resolveUri(source.uri, base);
  const namespaces = fieldOf(root, '$namespaces');
  if (namespaces?.kind !== 'map') return;
  for (const [prefix, entry] of namespaces.entries) {
    const uri = textOf(entry.value);
    if (uri !== undefined) source.namespaces.set(prefix, uri);
  }
}

/** A name with a prefix of `$namespaces` in full; others as they are. */
export function expandPrefix(source: Source, name: string): string {
  const at = name.indexOf(':');
  if (at <= 0) return name;
  const namespace = source.namespaces.get(name.slice(0, at));
  return namespace === undefined ? name : namespace + name.slice(at + 1);
}
