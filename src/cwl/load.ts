import type { Problem } from '#base/problem.ts';
import { checkFeatures } from './check-features.ts';
import { checkFields } from './check-fields.ts';
import { checkLinks } from './check-links.ts';
import { checkProcess } from './check-process.ts';
import { Library } from './library.ts';
import type { Process, Step, Version } from './model.ts';
import { fieldOf, type MapNode, type Node, problemAt, textOf } from './node.ts';
import { type FindProcess, readProcess } from './read-process.ts';
import type { Reader } from './reader.ts';
import { type Reading, stringOf } from './reading.ts';
import { suggest } from './suggest.ts';
import { resolveUri, splitFragment, toShortName } from './uri.ts';

export interface LoadOptions {
  reader: Reader;
  /** Which process of a packed document; the fragment of the URI says the same. */
  id?: string;
  /** Also accepts the development version v1.3.0-dev1. */
  enableDev?: boolean;
  /** Fields that CWL does not know, or not yet in this version, are warnings: other programs may know them. */
  lenient?: boolean;
  /** Checks every process of a packed document, also those that the chosen one does not use. */
  everything?: boolean;
}
export interface Loaded {
  /** Absent if there is any error. */
  process?: Process;
  problems: Problem[];
  /** URIs of all documents that were read, the first one first. */
  documents: string[];
  /** URIs of those that could not be read; also some that only look like references. */
  missing: string[];
  /** The text of a process, step or parameter. */
  nodeOf(part: object): MapNode | undefined;
  /** `$namespaces` of the document, which the input object may use too. */
  namespaces: Record<string, string>;
}

const versions: readonly Version[] = ['v1.0', 'v1.1', 'v1.2'];
const tolerated = ['cwl/unknown-field', 'cwl/newer-field'];
const processClasses = ['CommandLineTool', 'ExpressionTool', 'Workflow', 'Operation'];

/** Reads the process at `uri`, which may name it by a fragment, with everything that it refers to. */
export async function loadProcess(uri: string, options: LoadOptions): Promise<Loaded> {
  const [document, fragment] = splitFragment(uri);
  const library = new Library(options.reader);
  await library.read(document);
  const loader = new Loader(library, options);
  const process = loader.load(document, options.id ?? fragment);
  const problems = sortProblems([...library.problems, ...loader.problems]);
  if (options.lenient)
    for (const problem of problems) if (tolerated.includes(problem.code)) problem.severity = 'warning';
  const isValid = !problems.some(problem => problem.severity === 'error');
  const namespaces = Object.fromEntries(library.source(document)?.namespaces ?? []);
  const { documents, missing } = library;
  return {
    process: isValid ? process : undefined,
    problems,
    documents,
    missing,
    namespaces,
    nodeOf: part => loader.nodeOf(part),
  };
}

class Loader {
  readonly problems: Problem[] = [];
  readonly #library: Library;
  readonly #options: LoadOptions;
  readonly #origins: Reading['origins'] = new WeakMap();
  readonly #schemas: Reading['schemas'] = new Map();
  /** Processes by their node: one that several steps run is read once. */
  readonly #processes = new Map<Node, Process | 'open' | undefined>();

  constructor(library: Library, options: LoadOptions) {
    this.#library = library;
    this.#options = options;
  }

  load(document: string, id: string | undefined): Process | undefined {
    const nowhere = { source: { uri: document, text: '', base: document, namespaces: new Map() }, start: 0, end: 0 };
    const failure = this.#library.failure(document);
    if (failure !== undefined) {
      this.problems.push(problemAt(nowhere, 'cwl/not-found', failure));
      return undefined;
    }
    const root = this.#library.root(document);
    if (!root) {
      if (this.#library.problems.length === 0) this.#report(nowhere, 'cwl/empty', 'The document is empty.');
      return undefined;
    }
    const version = this.#readVersion(root);
    if (version === undefined) return undefined;
    this.#checkGraph(root);
    const node = this.#select(root, id);
    const process = node && this.#readWhole(node, idOf(node, document), version);
    if (process) this.problems.push(...checkFeatures(process, this.#origins));
    if (this.#options.everything) {
      for (const other of processesOf(root)) {
        const read = this.#processes.has(other) ? undefined : this.#readWhole(other, idOf(other, document), version);
        if (read) this.problems.push(...checkFeatures(read, this.#origins));
      }
    }
    return process;
  }

  nodeOf(part: object): MapNode | undefined {
    return this.#origins.get(part);
  }

  #checkGraph(root: Node): void {
    const seen = new Set<string>();
    for (const node of isPacked(root) ? processesOf(root) : []) {
      const id = fieldOf(node, 'id');
      const name = textOf(id)?.replace(/^#/, '');
      if (!id || name === undefined)
        this.#report({ ...node, end: node.start + 1 }, 'cwl/missing-field', 'A process in a $graph needs an id.');
      else if (seen.has(name)) this.#report(id, 'cwl/duplicate', `There is a process ${name} already.`);
      else seen.add(name);
    }
  }

  /** A process that is not part of another one's text. */
  #readWhole(node: MapNode, id: string, version: Version): Process | undefined {
    if (!this.#processes.has(node)) this.problems.push(...checkFields(node, version));
    return this.#read(node, id, this.#reading(version));
  }

  /** The process that a packed document is run by: the one that `id` names, else `main` (CWL v1.2, Packed documents). */
  #select(root: Node, id: string | undefined): MapNode | undefined {
    const processes = processesOf(root);
    if (root.kind === 'scalar') {
      this.#report(root, 'cwl/wrong-type', 'This is no process, which is a map with a class and a cwlVersion.');
      return undefined;
    }
    if (id !== undefined) {
      const found = this.#library.find(`${root.source.uri}#${id.replace(/^#/, '')}`);
      if (found?.kind === 'map') return found;
      const known = processes.flatMap(item => toShortName(stringOf(item, 'id') ?? ''));
      this.#report(
        { ...root, end: root.start },
        'cwl/not-found',
        `There is no process ${id} here.${suggest(id, known)}`,
      );
      return undefined;
    }
    if (!isPacked(root) && root.kind === 'map') return root;
    const main = processes.find(item => toShortName(stringOf(item, 'id') ?? '') === 'main');
    if (main) return main;
    if (processes.length === 1) return processes[0];
    const names = processes.map(item => toShortName(stringOf(item, 'id') ?? '')).filter(Boolean);
    const message = `There is no process with the id main: say which one, as in FILE#ID. Here are ${names.join(', ') || 'none'}.`;
    this.#report({ ...root, end: root.start }, 'cwl/no-main', message);
    return undefined;
  }

  #reading(version: Version): Reading {
    const { problems } = this;
    return {
      library: this.#library,
      version,
      problems,
      origins: this.#origins,
      types: new Map(),
      schemas: this.#schemas,
    };
  }

  #read(node: MapNode, id: string, reading: Reading): Process | undefined {
    if (this.#processes.has(node)) {
      const done = this.#processes.get(node);
      if (done !== 'open') return done;
      this.#report(
        { ...node, end: node.start },
        'cwl/recursive',
        'This workflow runs itself, directly or through others.',
      );
      return undefined;
    }
    this.#processes.set(node, 'open');
    const process = readProcess(node, id, reading, this.#findProcess);
    this.#processes.set(node, process);
    if (process) this.#check(process);
    else {
      const name = fieldOf(node, 'class');
      const said = textOf(name);
      const message = said === undefined ? 'A process needs a class' : `There is no process class ${said}`;
      this.#report(
        name ?? node,
        'cwl/unknown-class',
        `${message}: ${processClasses.join(', ')}.${suggest(said ?? '', processClasses)}`,
      );
    }
    return process;
  }

  #check(process: Process): void {
    this.problems.push(...checkProcess(process, this.#origins));
    if (process.class !== 'Workflow') return;
    const isUnknown = (step: Step) => !this.#origins.has(step.run);
    this.problems.push(...checkLinks(process, this.#origins, isUnknown));
  }

  /** The process in a step's `run`: embedded, or in a document of its own with a version of its own. */
  readonly #findProcess: FindProcess = (run, id, reading) => {
    const reference = textOf(run);
    if (reference === undefined) {
      return run.kind === 'map' ? this.#read(run, idOf(run, id), reading) : undefined;
    }
    const uri = resolveUri(run.source.base, reference);
    const failure = this.#library.failure(uri);
    if (failure !== undefined) {
      this.#report(run, 'cwl/not-found', failure);
      return undefined;
    }
    const root = this.#library.root(uri);
    if (!root) {
      // What is wrong in its text was told with the text; an empty one has nothing to tell of.
      if (!this.#library.hasProblems(uri)) this.#report(run, 'cwl/empty', `There is nothing in ${reference}.`);
      return undefined;
    }
    const version = root.source === run.source ? reading.version : this.#readVersion(root, reading.version);
    if (version === undefined) return undefined;
    const fragment = splitFragment(uri)[1];
    const node =
      fragment === undefined && root.source === run.source ? this.#library.find(uri) : this.#select(root, fragment);
    if (node?.kind !== 'map') return undefined;
    return this.#readWhole(node, idOf(node, uri), version);
  };

  #readVersion(root: Node, inherited?: Version): Version | undefined {
    const holder = root.kind === 'list' ? root.items[0] : root;
    const node = fieldOf(holder, 'cwlVersion');
    // Development versions that led to a release count as that release.
    const said = textOf(node)
      ?.replace(/^cwl:|^https:\/\/w3id\.org\/cwl\/cwl#/, '')
      .replace(/^(v1\.[012])(?:\.dev4|\.0-dev\d)$/, '$1');
    const known: readonly Version[] = this.#options.enableDev ? [...versions, 'v1.3.0-dev1'] : versions;
    const version = known.find(each => each === said);
    if (version) return version;
    if (!node && inherited) return inherited;
    const problem = node ? `The cwlVersion ${said ?? ''} is not known` : 'The document says no cwlVersion';
    this.#report(node ?? { ...root, end: root.start }, 'cwl/version', `${problem}: use one of ${known.join(', ')}.`);
    return undefined;
  }

  #report(span: Parameters<typeof problemAt>[0], code: string, message: string): void {
    this.problems.push(problemAt(span, code, message));
  }
}

/** The full identifier of a process; without an `id` it is where it stands. */
function idOf(node: MapNode, fallback: string): string {
  const id = stringOf(node, 'id');
  if (id === undefined) return fallback;
  return resolveUri(node.source.base, id.includes('#') ? id : `#${id}`);
}

/** In the order of the text, each once: what several steps share is checked for each of them. */
function sortProblems(problems: Problem[]): Problem[] {
  const unique = new Map<string, Problem>();
  for (const problem of problems) unique.set(JSON.stringify([problem.uri, problem.range, problem.message]), problem);
  const order = new Map<string, number>();
  for (const { uri } of problems) if (!order.has(uri)) order.set(uri, order.size);
  return [...unique.values()].sort(
    (one, other) =>
      (order.get(one.uri) as number) - (order.get(other.uri) as number) ||
      one.range.start.line - other.range.start.line ||
      one.range.start.character - other.range.start.character,
  );
}

function isPacked(root: Node): boolean {
  return root.kind === 'list' || fieldOf(root, '$graph') !== undefined;
}

/** The processes of a packed document; of another, its own. */
function processesOf(root: Node): MapNode[] {
  const graph = root.kind === 'list' ? root : fieldOf(root, '$graph');
  if (graph) return graph.kind === 'list' ? graph.items.filter(item => item.kind === 'map') : [];
  return root.kind === 'map' ? [root] : [];
}
