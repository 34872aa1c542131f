/** The general reader of YAML: slower than `quick-yaml`, but it knows all of the language and says what is wrong. */
import { type Alias, isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument } from 'yaml';
import type { Problem } from '#base/problem.ts';
import { type Entry, type MapNode, type Node, problemAt, type Source } from './node.ts';

/** How much an anchor may be repeated: enough for any honest document, far too little for a bomb. */
const nodeLimit = 1_000_000;
const depthLimit = 250;

/** The tree of a YAML text, and every fault of its syntax; no root where there is nothing, or too much. */
export function parseYaml(source: Source): { root?: Node; problems: Problem[] } {
  const problems: Problem[] = [];
  const at = (start: number, end: number) => ({ source, start, end });
  let document: ReturnType<typeof parseDocument>;
  try {
    document = parseDocument(source.text, { schema: 'core', prettyErrors: false, lineCounter: new LineCounter() });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { problems: [problemAt(at(0, 0), 'cwl/too-deep', `The document is nested more than ${depthLimit} deep.`)] };
  }
  for (const error of document.errors) {
    const [start, end] = error.pos;
    if (error.code === 'DUPLICATE_KEY') {
      const name = /^(["']?)([^:\s"']+)/.exec(source.text.slice(start))?.[2] ?? '';
      problems.push(
        problemAt(at(start, start + name.length), 'cwl/duplicate-field', `The field ${name} is given twice.`),
      );
      continue;
    }
    problems.push(problemAt(at(start, end), 'cwl/syntax', `This is not valid YAML: ${error.message}`));
    // The others follow from the first one more often than not.
    break;
  }
  if (!document.contents) return { problems };
  const limits = new Limits();
  try {
    return { root: new Converter(source, document, limits).convert(document.contents, 0), problems };
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return { problems: [problemAt(at(error.offset, error.offset), error.code, error.message)] };
  }
}

class TooMuch extends Error {
  readonly code: string;
  readonly offset: number;
  constructor(code: string, message: string, offset: number) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

class Limits {
  #count = 0;
  add(nodes: number, offset: number): void {
    this.#count += nodes;
    if (this.#count <= nodeLimit) return;
    throw new TooMuch('cwl/too-large', `With its aliases the document has more than ${nodeLimit} values.`, offset);
  }
  get count(): number {
    return this.#count;
  }
}

class Converter {
  readonly #source: Source;
  readonly #document: ReturnType<typeof parseDocument>;
  readonly #limits: Limits;
  /** What an anchor stands for, with the number of its nodes; undefined while it is being read. */
  readonly #anchors = new Map<unknown, { node: Node; size: number } | undefined>();

  constructor(source: Source, document: ReturnType<typeof parseDocument>, limits: Limits) {
    this.#source = source;
    this.#document = document;
    this.#limits = limits;
  }

  convert(node: unknown, depth: number): Node {
    const [start, end] = (node as { range?: [number, number, number] | null } | null)?.range ?? [0, 0];
    if (depth > depthLimit) throw new TooMuch('cwl/too-deep', `Nested more than ${depthLimit} deep.`, start);
    if (isAlias(node)) return this.#follow(node, start);
    const anchor = isCollection(node) || isScalar(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(node, undefined);
    const before = this.#limits.count;
    this.#limits.add(1, start);
    const converted = this.#plain(node, depth, start, end);
    if (anchor !== undefined) this.#anchors.set(node, { node: converted, size: this.#limits.count - before });
    return converted;
  }

  #plain(node: unknown, depth: number, start: number, end: number): Node {
    const source = this.#source;
    if (isMap(node)) {
      const entries = new Map<string, Entry>();
      for (const pair of node.items as Pair[]) this.#addPair(entries, pair, depth, start);
      return { kind: 'map', source, start, end: trimEnd(source.text, start, end), entries };
    }
    if (isSeq(node)) {
      const items = node.items.map(item => this.convert(item, depth + 1));
      return { kind: 'list', source, start, end: trimEnd(source.text, start, end), items };
    }
    const value = isScalar(node) ? node.value : null;
    const isPlain = value === null || ['boolean', 'number', 'string'].includes(typeof value);
    return { kind: 'scalar', source, start, end, value: isPlain ? (value as string) : String(value) };
  }

  #addPair(entries: Map<string, Entry>, pair: Pair, depth: number, mapStart: number): void {
    const key = pair.key;
    const [start, end] = (key as { range?: [number, number] } | null)?.range ?? [mapStart, mapStart];
    const name = isScalar(key) ? (key.value === null ? '' : String(key.value)) : undefined;
    const span = { source: this.#source, start, end };
    if (name === undefined) throw new TooMuch('cwl/syntax', 'A field must have a plain name.', start);
    const value: Node = pair.value
      ? this.convert(pair.value, depth + 1)
      : { kind: 'scalar', ...span, start: end, value: null };
    if (name === '<<') mergeInto(entries, value);
    else entries.set(name, { key: span, value });
  }

  #follow(alias: Alias, start: number): Node {
    const target = alias.resolve(this.#document);
    const found = this.#anchors.get(target);
    if (!found) {
      const isOpen = this.#anchors.has(target);
      const message = isOpen ? `*${alias.source} contains itself.` : `There is no anchor &${alias.source} before this.`;
      throw new TooMuch('cwl/alias', message, start);
    }
    this.#limits.add(found.size, start);
    return found.node;
  }
}

/** The merge key of YAML 1.1, which other CWL readers also know: own fields win. */
function mergeInto(entries: Map<string, Entry>, value: Node): void {
  const maps: Node[] = value.kind === 'list' ? value.items : [value];
  for (const map of maps) {
    if (map.kind !== 'map') continue;
    for (const [name, entry] of (map as MapNode).entries) if (!entries.has(name)) entries.set(name, entry);
  }
}

/** A block collection ends where its last value does, without the white space and comments after it. */
function trimEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && /\s/.test(text[at - 1] as string)) at--;
  return at;
}
