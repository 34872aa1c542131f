/** The input object of a run: a YAML or JSON document whose fields are the inputs of a process. */
import type { Problem } from '#base/problem.ts';
import { Library } from './library.ts';
import type { Process, Requirement, Value, Version } from './model.ts';
import { define, fieldOf, type MapNode, problemAt, type Source, textOf } from './node.ts';
import { checkValue } from './node-check.ts';
import { type Override, readOverrides } from './overrides.ts';
import { readRequirements } from './read-requirement.ts';
import { readValue } from './read-value.ts';
import type { Reader } from './reader.ts';
import { suggest } from './suggest.ts';
import { formatType, isOptional } from './type-text.ts';
import { resolveUri, toShortName } from './uri.ts';

export interface InputsDocument {
  /** Inputs by short name; the locations of their files are absolute URIs. */
  values: Record<string, Value>;
  /** `cwl:tool`: URI of the process to run. */
  tool?: string;
  /** `cwl:requirements` (CWL v1.2, Requirements and hints). */
  requirements: Requirement[];
  /** `cwltool:overrides`. */
  overrides: Override[];
  problems: Problem[];
  /** The document and what it imports. */
  documents: string[];
  /** Where the inputs stand; absent where the document could not be read. */
  root?: MapNode;
}
export interface InputsOptions {
  reader: Reader;
  /** `$namespaces` of the process, which the input object may use too (CWL v1.2, Generic execution process). */
  namespaces?: Record<string, string>;
  /** Version of the process, for the words of `cwl:requirements`. */
  version?: Version;
  /** URI where relative references start; that of the document by default. */
  base?: string;
}

/** Reads an input object; relative references in it are resolved against its own URI. */
export async function loadInputs(uri: string, options: InputsOptions): Promise<InputsDocument> {
  const library = new Library(options.reader);
  // Runners also look here whether a document is an input object: what a workflow runs is none of it.
  await library.read(uri, false);
  const root = library.root(uri);
  const inputs: InputsDocument = {
    values: {},
    requirements: [],
    overrides: [],
    problems: library.problems,
    documents: library.documents,
  };
  const source = library.source(uri) ?? { uri, text: '', base: uri, namespaces: new Map() };
  const failure = library.failure(uri);
  if (failure !== undefined) {
    inputs.problems.push(problemAt({ source, start: 0, end: 0 }, 'cwl/not-found', failure));
    return inputs;
  }
  if (options.base !== undefined) for (const each of library.documents) rebase(library.source(each), options.base);
  // An empty document is an empty input object.
  if (!root) {
    if (inputs.problems.length === 0) inputs.root = { kind: 'map', source, start: 0, end: 0, entries: new Map() };
    return inputs;
  }
  if (root.kind !== 'map') {
    inputs.problems.push(problemAt(root, 'cwl/wrong-type', 'An input object is a map: each field is an input.'));
    return inputs;
  }
  for (const document of library.documents) {
    const known = library.source(document)?.namespaces;
    for (const [prefix, name] of Object.entries(options.namespaces ?? {}))
      if (!known?.has(prefix)) known?.set(prefix, name);
  }
  return readInputsObject(inputs, root, library, options.version ?? 'v1.2');
}

/** What does not fit the inputs of `process`: missing ones, wrong types, and names that it does not have. */
export function checkInputs(inputs: InputsDocument, process: Process): Problem[] {
  const { root } = inputs;
  if (!root) return [];
  const problems: Problem[] = [];
  const names = process.inputs.map(input => input.id);
  for (const input of process.inputs) {
    const entry = findEntry(root, input.id);
    const isMissing = !entry || (entry.value.kind === 'scalar' && entry.value.value === null);
    if (!isMissing) problems.push(...checkValue(entry.value, input.type, input.id));
    else if (input.default === undefined && !isOptional(input.type)) {
      const place = entry?.key ?? { ...root, end: root.start };
      const message = `The input ${input.id} is missing: it takes ${formatType(input.type)}.`;
      problems.push(problemAt(place, 'cwl/missing-input', message));
    }
  }
  for (const [name, { key }] of root.entries) {
    if (isSpecial(name) || names.includes(name) || names.includes(toShortName(name))) continue;
    const message = `${toShortName(process.id)} has no input ${name}; it is left out.${suggest(name, names)}`;
    problems.push(problemAt(key, 'cwl/unknown-input', message, 'warning'));
  }
  return problems;
}

function readInputsObject(inputs: InputsDocument, root: MapNode, library: Library, version: Version): InputsDocument {
  const tool = fieldOf(root, 'cwl:tool');
  const reference = textOf(tool);
  const reading = {
    library,
    version,
    problems: inputs.problems,
    origins: new WeakMap(),
    types: new Map(),
    schemas: new Map(),
  };
  for (const [name, { value }] of root.entries) {
    // Identifiers as packed documents write them stand for their last part.
    if (!isSpecial(name)) define(inputs.values, toShortName(name), readValue(value));
  }
  const { known, unknown } = readRequirements(fieldOf(root, 'cwl:requirements'), reading);
  for (const { class: name, node } of unknown) {
    inputs.problems.push(problemAt(node, 'cwl/unknown-requirement', `There is no requirement ${name}.`));
  }
  return {
    ...inputs,
    root,
    tool: tool && reference !== undefined ? resolveUri(tool.source.base, reference) : undefined,
    requirements: known,
    overrides: readOverrides(findOverrides(root), reading),
  };
}

function rebase(source: Source | undefined, base: string): void {
  if (source) source.base = base;
}

/** The name in full, or with the prefix that everybody gives it. */
function findOverrides(root: MapNode) {
  const name = 'http://commonwl.org/cwltool#overrides';
  return fieldOf(root, 'cwltool:overrides') ?? fieldOf(root, name);
}

function findEntry(root: MapNode, id: string) {
  return root.entries.get(id) ?? [...root.entries].find(([name]) => toShortName(name) === id)?.[1];
}

/** Fields that are no inputs: `cwl:tool`, `$namespaces` and extensions. */
function isSpecial(name: string): boolean {
  return (
    name.startsWith('$') ||
    name.startsWith('cwl:') ||
    name.startsWith('cwltool:') ||
    name.startsWith('http://commonwl.org/cwltool#')
  );
}
