import { type CompletionItem, CompletionItemKind } from 'vscode-languageserver';
import type { Process, Version } from '#cwl/model.ts';
import { fieldOf, textOf } from '#cwl/node.ts';
import { parseText } from '#cwl/parse-text.ts';
import { stringOf } from '#cwl/reading.ts';
import { hasFeature, hasField, type RecordRule, type Shape } from '#cwl/schema.ts';
import { processClasses, rules } from '#cwl/schema-processes.ts';
import { requirementRules } from '#cwl/schema-requirements.ts';
import { resolveUri } from '#cwl/uri.ts';
import { listSources, listStepInputs } from './links.ts';
import { findSpot, type Spot } from './spot.ts';

const types = ['null', 'boolean', 'int', 'long', 'float', 'double', 'string', 'File', 'Directory', 'Any'];
const mark = 'CWL_COMPLETES_HERE';

/** What may be written at `offset`. `load` gives the process of a step, to offer its inputs and outputs. */
export async function listCompletions(
  uri: string,
  text: string,
  offset: number,
  load: (uri: string) => Promise<Process | undefined>,
): Promise<CompletionItem[]> {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const before = text.slice(lineStart, offset);
  const word = /[\w$/#.-]*$/.exec(before)?.[0] ?? '';
  const start = offset - word.length;
  const isAtStart = /^[\s-]*$|[{,]\s*$/.test(before.slice(0, before.length - word.length));
  const rest = text.slice(offset).replace(/^[\w$/#.-]+/, '');
  const items: CompletionItem[] = [];
  // The document is not whole while a word of it is being written: put one there, first as a key, then as a value.
  for (const insert of isAtStart && !/^\s*:/.test(rest) ? [`${mark}: x`, mark] : [mark]) {
    const { root } = await parseText(uri, text.slice(0, start) + insert + rest);
    if (!root) continue;
    const version = (textOf(fieldOf(root, 'cwlVersion')) ?? 'v1.2') as Version;
    const spot = findSpot(root, start);
    items.push(...(spot.isKey ? await completeKey(spot, version, load) : await completeValue(spot, load)));
  }
  return [...new Map(items.map(item => [item.label, item])).values()];
}

async function completeKey(spot: Spot, version: Version, load: (uri: string) => Promise<Process | undefined>) {
  if (spot.record !== undefined) {
    const { fields } = rules[spot.record] as RecordRule;
    return Object.entries(fields)
      .filter(([name, rule]) => hasField(version, rule) && !spot.map?.entries.has(name))
      .map(([name, rule]) => keyItem(name, rule.doc, rule.required));
  }
  if (spot.shapes.includes('requirements')) {
    const isList = spot.map?.entries.has('class') === false && spot.map.entries.size === 1 && spot.field === mark;
    const classes = Object.entries(requirementRules).filter(([, rule]) => hasFeature(version, rule.since));
    const own = classes.filter(([name]) => !spot.map?.entries.has(name)).map(([name, rule]) => keyItem(name, rule.doc));
    return isList ? [...own, keyItem('class', 'Which requirement this is.')] : own;
  }
  const elements = spot.shapes.find(
    (shape): shape is Extract<Shape, { elements: string }> => typeof shape === 'object' && 'elements' in shape,
  );
  if (elements?.elements === 'WorkflowStepInput') {
    const process = await loadRun(spot, load);
    return (process?.inputs ?? [])
      .filter(input => !spot.map?.entries.has(input.id))
      .map(input => keyItem(input.id, input.doc ?? input.label ?? ''));
  }
  const isRoot = elements === undefined && spot.shapes.length === 0 && spot.processes.at(-1) === spot.map;
  return isRoot
    ? [keyItem('cwlVersion', 'The version of CWL: `v1.2`.'), keyItem('class', 'What kind of process this is.')]
    : [];
}

async function completeValue(
  spot: Spot,
  load: (uri: string) => Promise<Process | undefined>,
): Promise<CompletionItem[]> {
  const { field } = spot;
  if (field === 'cwlVersion') return ['v1.2', 'v1.1', 'v1.0'].map(each => valueItem(each));
  if (field === 'class') {
    const isProcess = spot.map === spot.processes.at(-1);
    return (isProcess ? processClasses : Object.keys(requirementRules)).map(each =>
      valueItem(each, (rules[each] as RecordRule).doc),
    );
  }
  const workflow = spot.processes.at(-1);
  if ((field === 'source' || field === 'outputSource') && workflow)
    return listSources(workflow).map(each => valueItem(each.name));
  if (field === 'scatter') return listStepInputs(spot.step).map(each => valueItem(each));
  if (field === 'out') return ((await loadRun(spot, load))?.outputs ?? []).map(each => valueItem(each.id, each.doc));
  if (field === 'run') return listGraph(spot).map(each => valueItem(each));
  return spot.shapes.flatMap(shape => {
    if (shape === 'type')
      return [...types, ...types.slice(1).flatMap(each => [`${each}?`, `${each}[]`])].map(each => valueItem(each));
    if (shape === 'boolean') return [valueItem('true'), valueItem('false')];
    return typeof shape === 'object' && 'symbols' in shape ? shape.symbols.map(each => valueItem(each)) : [];
  });
}

async function loadRun(spot: Spot, load: (uri: string) => Promise<Process | undefined>): Promise<Process | undefined> {
  const run = fieldOf(spot.step, 'run');
  const reference = textOf(run);
  return run && reference !== undefined ? load(resolveUri(run.source.base, reference)) : undefined;
}

/** References to the other processes of a packed document. */
function listGraph(spot: Spot): string[] {
  const ids = spot.processes.flatMap(process => stringOf(process, 'id') ?? []);
  const text = spot.processes[0]?.source.text ?? '';
  const all = [...text.matchAll(/^\s*(?:- )?["']?id["']?:\s*["']?#?([\w.-]+)["']?,?\s*$/gm)].map(
    match => match[1] as string,
  );
  return text.includes('$graph') ? [...new Set(all)].filter(id => !ids.includes(id)).map(id => `#${id}`) : [];
}

function keyItem(name: string, doc: string, isRequired = false): CompletionItem {
  return {
    label: name,
    kind: CompletionItemKind.Property,
    insertText: `${name}: `,
    documentation: doc,
    sortText: `${isRequired ? 0 : 1}${name}`,
  };
}

function valueItem(name: string, doc?: string): CompletionItem {
  return { label: name, kind: CompletionItemKind.Value, documentation: doc };
}
