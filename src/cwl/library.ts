/** All documents that one document leads to, read once each; `$import`, `$include` and `$mixin` are resolved. */
import { isFailure } from '#base/failure.ts';
import type { Problem } from '#base/problem.ts';
import { type Entry, fieldOf, type MapNode, type Node, problemAt, type Source, textOf } from './node.ts';
import { type ParsedText, parseText } from './parse-text.ts';
import type { Reader } from './reader.ts';
import { resolveUri, splitFragment, toShortName } from './uri.ts';

const documentLimit = 10_000;
const depthLimit = 60;

/** What a directive refers to, before it is resolved. */
interface Reference {
  kind: 'import' | 'include' | 'mixin' | 'run';
  uri: string;
}

export class Library {
  readonly #reader: Reader;
  readonly #texts = new Map<string, Promise<string>>();
  readonly #parsed = new Map<string, ParsedText>();
  readonly #failures = new Map<string, string>();
  readonly #included = new Map<string, string>();
  readonly #resolved = new Map<string, Node | undefined>();
  readonly #open = new Set<string>();
  readonly problems: Problem[] = [];

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /**
   * Reads `uri` and everything that it leads to; processes that steps run only with `followsRuns`. What can't be read
   * is told when it is asked for.
   */
  async read(uri: string, followsRuns = true): Promise<void> {
    const pending: Promise<void>[] = [];
    const seen = new Set<string>();
    const enqueue = (reference: Reference) => {
      if (reference.kind === 'run' && !followsRuns && reference.uri !== uri) return;
      const [document] = splitFragment(reference.uri);
      const key = `${reference.kind === 'include'}${document}`;
      const known = reference.kind === 'include' ? this.#included : this.#parsed;
      if (seen.has(key) || known.has(document)) return;
      seen.add(key);
      if (seen.size > documentLimit) {
        this.#failures.set(document, `More than ${documentLimit} documents are not read.`);
        return;
      }
      pending.push(this.#readOne(document, reference.kind, enqueue));
    };
    enqueue({ kind: 'run', uri });
    for (let next = pending.pop(); next; next = pending.pop()) await next;
  }

  /** URIs of every document and included text that was read. */
  get documents(): string[] {
    return [...new Set([...this.#parsed.keys(), ...this.#included.keys()])];
  }

  /** URIs of what could not be read. */
  get missing(): string[] {
    return [...this.#failures.keys()];
  }

  /** Why `uri` could not be read; undefined if it was. */
  failure(uri: string): string | undefined {
    return this.#failures.get(splitFragment(uri)[0]);
  }

  /** Whether the text of a document is at fault by itself. */
  hasProblems(uri: string): boolean {
    return (this.#parsed.get(splitFragment(uri)[0])?.problems.length ?? 0) > 0;
  }

  source(uri: string): Source | undefined {
    return this.#parsed.get(splitFragment(uri)[0])?.source;
  }

  /** The tree of a document with its directives resolved; its problems are told once. */
  root(uri: string): Node | undefined {
    const [document] = splitFragment(uri);
    if (this.#resolved.has(document)) return this.#resolved.get(document);
    const parsed = this.#parsed.get(document);
    if (!parsed) return undefined;
    this.problems.push(...parsed.problems);
    this.#open.add(document);
    // What is read out of broken YAML is not what was meant: whatever else is wrong in it would only confuse.
    const tree = parsed.problems.some(problem => problem.code === 'cwl/syntax') ? undefined : parsed.root;
    const root = tree && hasDirectives(parsed.source) ? this.#resolve(tree) : tree;
    this.#open.delete(document);
    this.#resolved.set(document, root);
    return root;
  }

  /** The object of `uri` that its fragment names: by its whole identifier, else by the last part of it. */
  find(uri: string): Node | undefined {
    const [document, fragment] = splitFragment(uri);
    const root = this.root(document);
    if (fragment === undefined || !root) return root;
    return findNamed(root, fragment);
  }

  async #readOne(uri: string, kind: Reference['kind'], enqueue: (reference: Reference) => void): Promise<void> {
    let text: string;
    try {
      const reading = this.#texts.get(uri) ?? this.#reader.read(uri);
      this.#texts.set(uri, reading);
      text = await reading;
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#failures.set(uri, error.message);
      return;
    }
    if (kind === 'include') {
      this.#included.set(uri, text);
      return;
    }
    const parsed = await parseText(uri, text);
    this.#parsed.set(uri, parsed);
    if (parsed.root) findReferences(parsed.root, enqueue);
  }

  #resolve(node: Node): Node {
    if (node.kind === 'scalar') return node;
    if (node.kind === 'map') {
      const directive = directiveOf(node);
      for (const entry of node.entries.values()) if (entry !== directive) entry.value = this.#resolve(entry.value);
      // Something empty stands for what can't be had: that is told once, and nothing else about it.
      return directive ? (this.#replace(node, directive) ?? { ...node, entries: new Map() }) : node;
    }
    node.items = node.items.flatMap(item => {
      if (item.kind !== 'map' || !directiveOf(item)) return [this.#resolve(item)];
      const resolved = this.#replace(item, directiveOf(item) as Entry);
      // A list that is imported into a list becomes part of it (Schema Salad §Import).
      return resolved?.kind === 'list' ? resolved.items : (resolved ?? []);
    });
    return node;
  }

  #replace(node: MapNode, directive: Entry): Node | undefined {
    const reference = textOf(directive.value);
    const report = (code: string, message: string) => {
      this.problems.push(problemAt(directive.value, code, message));
      return undefined;
    };
    if (reference === undefined) return report('cwl/wrong-type', 'This must be the path or URI of a document.');
    const uri = resolveUri(node.source.base, reference);
    const [document] = splitFragment(uri);
    const failure = this.failure(uri);
    if (failure !== undefined) return report('cwl/not-found', failure);
    const included = node.entries.has('$include') ? this.#included.get(document) : undefined;
    const { source, start, end } = node;
    if (included !== undefined) return { kind: 'scalar', source, start, end, value: included };
    const isOwnPart = document === splitFragment(node.source.uri)[0] && uri.includes('#');
    if (this.#open.has(document) && !isOwnPart) {
      return report('cwl/import-cycle', `${reference} is being imported already: this would never end.`);
    }
    if (this.#open.size > depthLimit) return report('cwl/too-deep', `More than ${depthLimit} imports in one another.`);
    const imported = this.#importedPart(uri);
    if (!imported) return report('cwl/not-found', `There is nothing to import in ${reference}.`);
    if (!node.entries.has('$mixin') || imported.kind !== 'map') return imported;
    const own = [...node.entries].filter(([name]) => name !== '$mixin');
    return { ...node, entries: new Map([...imported.entries, ...own]) };
  }

  #importedPart(uri: string): Node | undefined {
    const [document, fragment] = splitFragment(uri);
    // A part of the very document that is being resolved is taken as it stands.
    const root = this.#open.has(document) ? this.#parsed.get(document)?.root : this.root(document);
    return root && fragment !== undefined ? findNamed(root, fragment) : root;
  }
}

/** All maps that carry an `id` or `name` for `fragment`, the outermost first; a whole match beats one of the last part. */
function findNamed(root: Node, fragment: string): Node | undefined {
  const short = toShortName(fragment);
  let partial: Node | undefined;
  const queue: Node[] = [root];
  for (let index = 0; index < queue.length; index++) {
    const node = queue[index] as Node;
    if (node.kind === 'list') queue.push(...node.items);
    if (node.kind !== 'map') continue;
    const id = textOf(fieldOf(node, 'id')) ?? textOf(fieldOf(node, 'name'));
    if (id !== undefined) {
      if (id === fragment || id === `#${fragment}` || id.endsWith(`#${fragment}`)) return node;
      if (!partial && node.entries.has('class') && toShortName(id) === short) partial = node;
    }
    for (const entry of node.entries.values()) if (entry.value.kind !== 'scalar') queue.push(entry.value);
  }
  return partial;
}

function directiveOf(node: MapNode): Entry | undefined {
  return node.entries.get('$import') ?? node.entries.get('$include') ?? node.entries.get('$mixin');
}

function hasDirectives(source: Source): boolean {
  return /\$(?:import|include|mixin)\b/.test(source.text);
}

/** Finds what a tree refers to: directives, and documents that are run by steps. */
function findReferences(root: Node, found: (reference: Reference) => void): void {
  const queue: Node[] = [root];
  for (let node = queue.pop(); node; node = queue.pop()) {
    if (node.kind === 'list') queue.push(...node.items);
    if (node.kind !== 'map') continue;
    for (const [name, { value }] of node.entries) {
      if (value.kind !== 'scalar') queue.push(value);
      // Asked of every field of every document: the quick answer first.
      if (value.kind !== 'scalar' || (name !== 'run' && name[0] !== '$') || typeof value.value !== 'string') continue;
      const kind = kindOfReference(name, node);
      if (kind) found({ kind, uri: resolveUri(node.source.base, value.value) });
    }
  }
}

function kindOfReference(name: string, node: MapNode): Reference['kind'] | undefined {
  if (name === '$import') return 'import';
  if (name === '$include') return 'include';
  if (name === '$mixin') return 'mixin';
  return name === 'run' && (node.entries.has('in') || node.entries.has('out')) ? 'run' : undefined;
}
