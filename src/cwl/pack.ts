import { Failure } from '#base/failure.ts';
import { formatPlace } from './expression.ts';
import type { Json, Process } from './model.ts';
import { define, fieldOf, type MapNode, type Node, textOf } from './node.ts';
import { expandPrefix } from './parse-text.ts';
import { isFileNode, readValue } from './read-value.ts';
import { isExpression } from './reading.ts';
import { resolveUri, splitFragment, toShortName } from './uri.ts';

/**
 * A process with all that it runs and imports as one document (CWL v1.2, Packed documents): every process once in
 * `$graph`, the given one first and called `main`; one that stands alone is printed as it is. Places of files are
 * absolute. `nodeOf` gives the text of what was loaded.
 * Throws a Failure `cwl/pack` where the documents differ in their version or in the meaning of a prefix.
 */
export function packProcess(process: Process, nodeOf: (part: object) => MapNode | undefined): Json {
  const packer = new Packer(nodeOf);
  packer.add(process, 'main');
  return packer.toJson(process.cwlVersion);
}

/** What a text means by where it stands. */
type Sense = 'plain' | 'type' | 'parameters' | 'reference' | 'references' | 'format' | 'value' | 'place';

const senses: Record<string, Sense> = {
  type: 'type',
  items: 'type',
  types: 'type',
  inputs: 'parameters',
  outputs: 'parameters',
  fields: 'parameters',
  in: 'references',
  loop: 'references',
  source: 'reference',
  outputSource: 'reference',
  loopSource: 'reference',
  scatter: 'reference',
  out: 'reference',
  id: 'reference',
  name: 'reference',
  format: 'format',
  default: 'value',
  dockerLoad: 'place',
  dockerImport: 'place',
};

class Packer {
  readonly #nodeOf: (part: object) => MapNode | undefined;
  /** Processes that stand in `$graph`, by their ids there. */
  readonly #processes = new Map<string, MapNode>();
  readonly #ids = new Map<Process, string>();
  /** The `run` fields that name one of them. */
  readonly #runs = new Map<Node, string>();
  readonly #namespaces = new Map<string, string>();
  readonly #schemas = new Set<string>();
  #first: Process | undefined;

  constructor(nodeOf: (part: object) => MapNode | undefined) {
    this.#nodeOf = nodeOf;
  }

  /** Takes a process, and all that it runs, into the graph; answers the id that it has there. */
  add(process: Process, wanted: string): string {
    const known = this.#ids.get(process);
    if (known !== undefined) return known;
    this.#first ??= process;
    this.#checkVersion(process, this.#first);
    const id = this.#findId(wanted);
    this.#ids.set(process, id);
    this.#processes.set(id, this.#nodeOf(process) as MapNode);
    this.#visit(process);
    return id;
  }

  toJson(version: string): Json {
    const graph = [...this.#processes].map(([id, node]) => this.#printProcess(node, id));
    const [alone] = graph;
    const head: { [key: string]: Json } = { cwlVersion: version };
    if (this.#namespaces.size > 0) head.$namespaces = Object.fromEntries(this.#namespaces);
    if (this.#schemas.size > 0) head.$schemas = [...this.#schemas];
    return graph.length === 1 ? { ...head, ...(alone as object) } : { ...head, $graph: graph };
  }

  /** An embedded process stays where it stands; what it runs may be in documents of its own. */
  #visit(process: Process): void {
    const { source } = this.#nodeOf(process) as MapNode;
    for (const [prefix, uri] of source.namespaces) this.#addNamespace(prefix, uri, source.uri);
    for (const uri of process.schemas) this.#schemas.add(uri);
    for (const step of process.class === 'Workflow' ? process.steps : []) {
      const run = fieldOf(this.#nodeOf(step), 'run');
      const reference = textOf(run);
      if (run === undefined || reference === undefined) {
        this.#checkVersion(step.run, this.#first as Process);
        this.#visit(step.run);
      } else this.#runs.set(run, this.add(step.run, toName(reference)));
    }
  }

  #addNamespace(prefix: string, uri: string, document: string): void {
    const known = this.#namespaces.get(prefix) ?? uri;
    this.#namespaces.set(prefix, known);
    if (known === uri) return;
    throw new Failure(
      'cwl/pack',
      `${document}: the prefix ${prefix} is ${uri} here, and ${known} in another document`,
      {
        hint: 'Give one of them another name under $namespaces.',
      },
    );
  }

  #checkVersion(process: Process, first: Process): void {
    if (process.cwlVersion === first.cwlVersion) return;
    throw new Failure(
      'cwl/pack',
      `${formatPlace(process.place)} is of cwlVersion ${process.cwlVersion}, and ${formatPlace(first.place)} of ${first.cwlVersion}: one document has one version`,
      { hint: 'Bring the documents to one version first.' },
    );
  }

  #findId(wanted: string): string {
    for (let number = 1; ; number++) {
      const id = number === 1 ? wanted : `${wanted}_${number}`;
      if (!this.#processes.has(id)) return id;
    }
  }

  #printProcess(node: MapNode, id: string): Json {
    const printed: { [key: string]: Json } = this.#processes.size > 1 ? { id: `#${id}` } : {};
    for (const [name, { value }] of node.entries) {
      if (['id', 'cwlVersion', '$namespaces', '$schemas', '$graph', '$base'].includes(name)) continue;
      define(printed, name, this.#print(value, this.#senseOf(name), toOwnName(node)));
    }
    return printed;
  }

  /** `own`: the id of the process around, which references of its document may begin with. */
  #print(node: Node, sense: Sense, own: string | undefined): Json {
    const run = this.#runs.get(node);
    if (run !== undefined) return `#${run}`;
    if (sense === 'value') return readValue(node);
    if (node.kind === 'list') {
      const isKeyed = sense === 'parameters' || sense === 'references';
      return node.items.map(item => this.#print(item, isKeyed ? 'plain' : sense, own));
    }
    if (node.kind === 'map') return this.#printMap(node, sense, own);
    return typeof node.value === 'string' ? this.#printText(node.value, node, sense, own) : node.value;
  }

  #printMap(node: MapNode, sense: Sense, own: string | undefined): Json {
    if (isFileNode(node)) return readValue(node);
    const isProcess = node.entries.has('cwlVersion') || (node.entries.has('class') && node.entries.has('outputs'));
    const inner = isProcess ? (toOwnName(node) ?? own) : own;
    const printed: { [key: string]: Json } = {};
    for (const [name, { value }] of node.entries) {
      // A process that is embedded by $import says what only a document says.
      if (isProcess && ['cwlVersion', '$namespaces', '$schemas'].includes(name)) continue;
      // The keys of such a map are names of parameters, whatever they look like.
      const isKeyed = sense === 'parameters' || sense === 'references';
      const next = !isKeyed ? this.#senseOf(name) : sense === 'parameters' ? 'type' : 'reference';
      define(printed, name, this.#print(value, value.kind === 'map' && isKeyed ? 'plain' : next, inner));
    }
    return printed;
  }

  #printText(text: string, node: Node, sense: Sense, own: string | undefined): Json {
    if (sense === 'reference') return toRelative(text, node, own);
    if (sense === 'place') return resolveUri(node.source.base, text);
    if (sense === 'format') return isExpression(text) ? text : expandPrefix(node.source, text);
    if (sense !== 'type' && sense !== 'parameters') return text;
    const [, name = text, suffix = ''] = /^(.*?)((?:\[\])*\??)$/s.exec(text) ?? [];
    // A type of another document is one of this document now, and is found from where it is used.
    return name.includes('#') ? `${toShortName(name)}${suffix}` : text;
  }

  #senseOf(name: string): Sense {
    return senses[name] ?? 'plain';
  }
}

/** The name of a process in its document; undefined where it has none. */
function toOwnName(node: MapNode): string | undefined {
  const id = textOf(fieldOf(node, 'id'));
  return id === undefined ? undefined : (splitFragment(id)[1] ?? id);
}

/** `#main/step/out`, where main is the process around, is `step/out`; so is `#step/out`. */
function toRelative(text: string, node: Node, own: string | undefined): string {
  const at = text.indexOf('#');
  if (at < 0) return text;
  const [document] = splitFragment(resolveUri(node.source.base, text));
  if (at > 0 && document !== splitFragment(node.source.base)[0]) return text;
  const fragment = text.slice(at + 1);
  return own !== undefined && fragment.startsWith(`${own}/`) ? fragment.slice(own.length + 1) : fragment;
}

/** `tools/sort.cwl` is `sort`, `packed.cwl#sort` too. */
function toName(reference: string): string {
  const [document, fragment] = splitFragment(reference);
  const name =
    fragment === undefined ? toShortName(document).replace(/\.(?:cwl|ya?ml|json)$/i, '') : toShortName(fragment);
  return name.replace(/[^A-Za-z0-9_.-]/g, '_') || 'process';
}
