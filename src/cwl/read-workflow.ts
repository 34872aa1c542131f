import type { LinkMerge, PickValue, Process, Step, StepInput, Workflow, WorkflowOutput } from './model.ts';
import { fieldOf, isNull, itemsOf, type MapNode, type Node, placeOf, textOf } from './node.ts';
import { readOutputs } from './read-parameter.ts';
import type { FindProcess, ProcessBase } from './read-process.ts';
import { readRequirements } from './read-requirement.ts';
import { readValue } from './read-value.ts';
import {
  booleanOf,
  docOf,
  type Element,
  elementsOf,
  loadListingOf,
  oneOf,
  type Reading,
  stringOf,
  stringsOf,
} from './reading.ts';
import { splitFragment, toShortName } from './uri.ts';

const linkMerges: readonly LinkMerge[] = ['merge_nested', 'merge_flattened'];
const pickValues: readonly PickValue[] = ['first_non_null', 'the_only_non_null', 'all_non_null'];
const scatterMethods = ['dotproduct', 'nested_crossproduct', 'flat_crossproduct'] as const;

export function readWorkflow(node: MapNode, base: ProcessBase, reading: Reading, find: FindProcess): Workflow {
  const links = new Links(node, base.id);
  const steps = elementsOf(fieldOf(node, 'steps'), 'id').flatMap(element =>
    element.node.kind === 'map' ? [readStep(element, element.node, base.id, links, reading, find)] : [],
  );
  const outputs = readOutputs(fieldOf(node, 'outputs'), reading).map((output): WorkflowOutput => {
    const origin = reading.origins.get(output) as MapNode;
    const source = fieldOf(origin, 'outputSource');
    const linked = {
      ...output,
      outputSource: links.read(source),
      sourceIsList: source?.kind === 'list',
      ...readMerge(origin),
    };
    reading.origins.set(linked, origin);
    return linked;
  });
  return { class: 'Workflow', ...base, outputs, steps };
}

function readStep(
  element: Element,
  node: MapNode,
  workflow: string,
  links: Links,
  reading: Reading,
  find: FindProcess,
): Step {
  const id = toShortName(element.id ?? '');
  const { known, unknown } = readRequirements(fieldOf(node, 'requirements'), reading);
  const hints = readRequirements(fieldOf(node, 'hints'), reading);
  const run = fieldOf(node, 'run');
  const runId = `${workflow}${workflow.includes('#') ? '/' : '#'}${id}/run`;
  const step: Step = {
    id,
    label: stringOf(node, 'label'),
    doc: docOf(node),
    in: readStepInputs(fieldOf(node, 'in'), links, reading),
    out: itemsOf(fieldOf(node, 'out')).flatMap(item => {
      const name = textOf(item) ?? stringOf(item, 'id');
      return name === undefined ? [] : [toShortName(name)];
    }),
    run: (run && find(run, runId, reading)) ?? placeholder(runId, node, reading),
    requirements: known,
    hints: hints.known,
    unknownHints: [...unknown, ...hints.unknown].map(each => ({ class: each.class, place: placeOf(each.node) })),
    scatter: stringsOf(node, 'scatter').map(toShortName),
    scatterMethod: oneOf(node, 'scatterMethod', scatterMethods),
    when: stringOf(node, 'when'),
    loop: readLoop(fieldOf(node, 'loop'), node, links, reading),
    place: placeOf({ source: element.key.source, start: element.key.start, end: Math.max(element.key.end, node.end) }),
  };
  reading.origins.set(step, node);
  return step;
}

function readStepInputs(node: Node | undefined, links: Links, reading: Reading): StepInput[] {
  return elementsOf(node, 'id', 'source').flatMap(element => {
    if (element.node.kind !== 'map') return [];
    const origin = element.node;
    const source = fieldOf(origin, 'source');
    const value = fieldOf(origin, 'default');
    const input: StepInput = {
      id: toShortName(element.id ?? ''),
      source: links.read(source),
      sourceIsList: source?.kind === 'list',
      ...readMerge(origin),
      default: value && !isNull(value) ? readValue(value) : undefined,
      valueFrom: stringOf(origin, 'valueFrom'),
      loadContents: booleanOf(origin, 'loadContents') ?? false,
      loadListing: loadListingOf(origin),
      label: stringOf(origin, 'label'),
      place: placeOf({
        source: element.key.source,
        start: element.key.start,
        end: Math.max(element.key.end, origin.end),
      }),
    };
    reading.origins.set(input, origin);
    return [input];
  });
}

/** CWL v1.3 development: `loop` with `outputMethod` beside it; the step's `when` says whether to go on. */
function readLoop(node: Node | undefined, step: MapNode, links: Links, reading: Reading): Step['loop'] {
  if (!node || isNull(node)) return undefined;
  const outputMethod = stringOf(step, 'outputMethod')?.startsWith('all') ? 'all' : 'last';
  return { outputMethod, inputs: readLoopInputs(node, links, reading), when: stringOf(step, 'when') ?? '$(false)' };
}

function readLoopInputs(node: Node, links: Links, reading: Reading): StepInput[] {
  const inputs: StepInput[] = [];
  for (const element of elementsOf(node, 'id', 'source')) {
    if (element.node.kind !== 'map') continue;
    // Each draft has another name for it.
    const names = ['source', 'outputSource', 'loopSource'];
    const source = names.map(name => fieldOf(element.node, name)).find(field => field !== undefined);
    const value = fieldOf(element.node, 'default');
    inputs.push({
      id: toShortName(element.id ?? ''),
      source: links.readOwn(source),
      sourceIsList: source?.kind === 'list',
      ...readMerge(element.node),
      default: value && !isNull(value) ? readValue(value) : undefined,
      valueFrom: stringOf(element.node, 'valueFrom'),
      loadContents: booleanOf(element.node, 'loadContents') ?? false,
      loadListing: loadListingOf(element.node),
      place: placeOf(element.node),
    });
    reading.origins.set(inputs.at(-1) as StepInput, element.node);
  }
  return inputs;
}

function readMerge(node: MapNode): { linkMerge?: LinkMerge; pickValue?: PickValue } {
  return { linkMerge: oneOf(node, 'linkMerge', linkMerges), pickValue: oneOf(node, 'pickValue', pickValues) };
}

/** Stands for a process that could not be read, so that the rest can still be checked. */
function placeholder(id: string, node: MapNode, reading: Reading): Process {
  return {
    class: 'Operation',
    id,
    cwlVersion: reading.version,
    intent: [],
    inputs: [],
    outputs: [],
    requirements: [],
    hints: [],
    unknownHints: [],
    schemas: [],
    place: placeOf(node),
  };
}

/** What the sources in one workflow may refer to: by short name, or by an identifier as packed documents write it. */
class Links {
  readonly #known = new Map<string, string>();
  readonly #document: string;

  constructor(node: MapNode, id: string) {
    const [document, fragment = ''] = splitFragment(id);
    this.#document = document;
    const add = (short: string, written: string) => {
      for (const name of [short, stripMark(written), `${fragment}/${short}`])
        if (!this.#known.has(name)) this.#known.set(name, short);
    };
    for (const input of elementsOf(fieldOf(node, 'inputs'), 'id')) add(toShortName(input.id ?? ''), input.id ?? '');
    for (const step of elementsOf(fieldOf(node, 'steps'), 'id')) {
      const name = toShortName(step.id ?? '');
      for (const item of itemsOf(fieldOf(step.node, 'out'))) {
        const written = textOf(item) ?? stringOf(item, 'id') ?? '';
        const short = `${name}/${toShortName(written)}`;
        add(short, stripMark(written).includes('/') ? written : `${stripMark(step.id ?? '')}/${written}`);
      }
    }
  }

  /** Short ids; one that leads nowhere stays as it was written, without its mark. */
  read(node: Node | undefined): string[] {
    return itemsOf(node).flatMap(item => {
      const text = textOf(item);
      return text === undefined ? [] : [this.#resolve(text)];
    });
  }

  /** Names of the step's own outputs, as `loop` uses them. */
  readOwn(node: Node | undefined): string[] {
    return itemsOf(node)
      .flatMap(item => textOf(item) ?? [])
      .map(toShortName);
  }

  #resolve(text: string): string {
    const [document, fragment] = splitFragment(text);
    const isForeign =
      fragment !== undefined && document !== '' && !this.#document.endsWith(document.replace(/^\.\//, ''));
    const name = fragment ?? text;
    return isForeign ? text : (this.#known.get(name) ?? name);
  }
}

function stripMark(identifier: string): string {
  return splitFragment(identifier)[1] ?? identifier;
}
