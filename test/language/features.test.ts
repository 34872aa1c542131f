// One test for each feature of the language server, without a server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadProcess } from '#cwl/load.ts';
import type { Node } from '#cwl/node.ts';
import { parseText } from '#cwl/parse-text.ts';
import { listCompletions } from '#language/completion.ts';
import { findDefinition } from '#language/definition.ts';
import { findHover } from '#language/hover.ts';
import { listEntries } from '#language/processes.ts';
import { listSymbols } from '#language/symbols.ts';
import { Workspace } from '#language/workspace.ts';

const uri = 'file:///w/main.cwl';
const tool = `cwlVersion: v1.2
class: CommandLineTool
baseCommand: cat
inputs: {text: File, words: int}
outputs: {out: stdout, log: stderr}
`;
const reader = new Workspace(async asked => {
  if (asked === 'file:///w/tool.cwl') return tool;
  throw new Error('no such file');
});
const load = async (asked: string) => (await loadProcess(asked, { reader })).process;

/** The text without its mark `|`, and where that was. */
function cut(marked: string): { text: string; offset: number } {
  const offset = marked.indexOf('|');
  return { text: marked.slice(0, offset) + marked.slice(offset + 1), offset };
}
async function complete(marked: string): Promise<string[]> {
  const { text, offset } = cut(marked);
  return (await listCompletions(uri, text, offset, load)).map(item => item.label);
}
const rootOf = async (text: string) => (await parseText(uri, text)).root as Node;

const workflow = (steps: string) => `cwlVersion: v1.2
class: Workflow
inputs:
  first: File
  count: int
outputs:
  last:
    type: File
    outputSource: show/out
steps:
${steps}`;

test('completion offers the fields that are not there yet, the required ones first', async () => {
  const labels = await complete('cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: cat\ninp|');
  assert.ok(labels.includes('inputs') && labels.includes('stdout'));
  assert.ok(!labels.includes('baseCommand') && !labels.includes('steps'));
  assert.deepEqual(await complete('|'), ['cwlVersion', 'class']);
});

test('completion keeps to the version of the document', async () => {
  const step = (version: string) =>
    complete(`cwlVersion: ${version}\nclass: Workflow\ninputs: []\noutputs: []\nsteps:\n  s:\n    wh|\n`);
  assert.ok((await step('v1.2')).includes('when'));
  assert.ok(!(await step('v1.0')).includes('when'));
});

test('completion deep inside, in blocks and in flow', async () => {
  const inBlock = await complete(
    'cwlVersion: v1.2\nclass: CommandLineTool\ninputs:\n  a:\n    type: string\n    inputBinding:\n      pre|\n',
  );
  assert.ok(inBlock.includes('prefix') && inBlock.includes('position'));
  const inFlow = await complete(
    'cwlVersion: v1.2\nclass: CommandLineTool\ninputs:\n  a: {type: string, inputBinding: {position: 1, |}}\n',
  );
  assert.ok(inFlow.includes('prefix') && !inFlow.includes('position'));
});

test('completion of classes and requirements', async () => {
  assert.deepEqual(await complete('cwlVersion: v1.2\nclass: |'), [
    'CommandLineTool',
    'ExpressionTool',
    'Workflow',
    'Operation',
  ]);
  const inMap = await complete(
    'cwlVersion: v1.2\nclass: CommandLineTool\nrequirements:\n  WorkReuse: {enableReuse: true}\n  Do|\n',
  );
  assert.ok(inMap.includes('DockerRequirement') && !inMap.includes('WorkReuse'));
  const inList = await complete('cwlVersion: v1.2\nclass: CommandLineTool\nhints:\n  - class: |\n');
  assert.ok(inList.includes('DockerRequirement') && !inList.includes('Workflow'));
  const inside = await complete('cwlVersion: v1.2\nclass: CommandLineTool\nhints:\n  DockerRequirement:\n    |\n');
  assert.ok(inside.includes('dockerPull'));
});

test('completion of types, symbols and truth', async () => {
  const types = await complete('cwlVersion: v1.2\nclass: CommandLineTool\ninputs:\n  a: |\n');
  assert.ok(types.includes('File') && types.includes('string?') && types.includes('int[]'));
  assert.deepEqual(
    await complete('cwlVersion: v1.2\nclass: CommandLineTool\ninputs:\n  a: {type: Directory, loadListing: |}\n'),
    ['no_listing', 'shallow_listing', 'deep_listing'],
  );
  assert.deepEqual(
    await complete('cwlVersion: v1.2\nclass: CommandLineTool\ninputs:\n  a: {type: File, streamable: |}\n'),
    ['true', 'false'],
  );
});

test('completion of links, step inputs, outputs and scatter', async () => {
  const links = ['first', 'count', 'show/out'];
  assert.deepEqual(
    await complete(workflow('  show:\n    run: tool.cwl\n    in:\n      text: |\n    out: [out]\n')),
    links,
  );
  assert.deepEqual(
    await complete(workflow('  show:\n    run: tool.cwl\n    in:\n      text: {source: [first, |]}\n    out: [out]\n')),
    links,
  );
  assert.deepEqual(
    await complete(workflow('  show:\n    run: tool.cwl\n    in:\n      text: first\n      |\n    out: [out]\n')),
    ['words'],
  );
  assert.deepEqual(await complete(workflow('  show:\n    run: tool.cwl\n    in: {text: first}\n    out: [|]\n')), [
    'out',
    'log',
  ]);
  assert.deepEqual(
    await complete(
      workflow('  show:\n    run: tool.cwl\n    in: {text: first, words: count}\n    out: [out]\n    scatter: |\n'),
    ),
    ['text', 'words'],
  );
});

test('hover tells what a field, a class and a requirement mean', async () => {
  const hover = async (marked: string) => {
    const { text, offset } = cut(marked);
    const found = findHover(await rootOf(text), offset);
    return found ? (found.contents as { value: string }).value : undefined;
  };
  assert.match(
    (await hover('class: CommandLineTool\nbase|Command: cat\n')) ?? '',
    /^\*\*baseCommand\*\* \(a string or a list of strings; may be left out\)/,
  );
  assert.match((await hover('class: Command|LineTool\n')) ?? '', /A program and its command line/);
  assert.match(
    (await hover('class: CommandLineTool\nhints:\n  Docker|Requirement: {dockerPull: x}\n')) ?? '',
    /The image in which the tool runs/,
  );
  assert.match((await hover('class: CommandLineTool\nhints:\n  - class: Work|Reuse\n')) ?? '', /earlier run/);
  assert.match((await hover(workflow('  s:\n    wh|en: $(true)\n'))) ?? '', /Since v1\.2/);
  assert.equal(await hover('class: CommandLineTool\nbaseCommand: c|at\n'), undefined);
});

test('definition goes to documents, processes and sources', async () => {
  const define = async (marked: string) => {
    const { text, offset } = cut(marked);
    const found = await findDefinition(await rootOf(text), offset, reader);
    return found && [found.uri, found.range.start.line, found.range.start.character];
  };
  assert.deepEqual(await define(workflow('  s:\n    run: to|ol.cwl\n    in: {}\n')), ['file:///w/tool.cwl', 0, 0]);
  assert.deepEqual(await define(workflow('  s:\n    run: t.cwl\n    in: {a: fi|rst}\n')), [uri, 3, 2]);
  assert.deepEqual(
    await define(workflow('  s:\n    run: t.cwl\n    in: {a: {source: [count, ot|her/x]}}\n  other:\n    out: [x]\n')),
    [uri, 14, 10],
  );
  assert.equal(await define(workflow('  s:\n    run: t.cwl\n    in: {a: no|where}\n')), null);
});

test('symbols are the outline of a document, packed ones too', async () => {
  const [symbol] = listSymbols(await rootOf(workflow('  s:\n    run: {class: ExpressionTool, inputs: {x: int}}\n')));
  assert.deepEqual([symbol?.name, symbol?.detail], ['Workflow', 'Workflow']);
  assert.deepEqual(
    symbol?.children?.map(child => child.name),
    ['first', 'count', 's', 'last'],
  );
  assert.deepEqual(
    symbol?.children?.[2]?.children?.[0]?.children?.map(child => [child.name, child.detail]),
    [['x', 'int']],
  );
  const packed = listSymbols(await rootOf('$graph:\n- {id: a, class: Workflow}\n- {id: "#b", class: Workflow}\n'));
  assert.deepEqual(
    packed.map(each => each.name),
    ['a', 'b'],
  );
});

test('processes that can be run have a name and a first line', async () => {
  const entries = async (text: string) =>
    listEntries(await rootOf(text)).map(({ name, class: kind, id, range }) => [name, kind, id, range.start.line]);
  assert.deepEqual(await entries(`#!/usr/bin/env cwl-runner\n${tool}`), [
    ['main.cwl', 'CommandLineTool', undefined, 1],
  ]);
  assert.deepEqual(
    await entries(
      'cwlVersion: v1.2\n$graph:\n- id: "#main"\n  class: Workflow\n- id: t\n  label: My tool\n  class: CommandLineTool\n- {id: o, class: Operation}\n',
    ),
    [
      ['main', 'Workflow', 'main', 2],
      ['My tool', 'CommandLineTool', 't', 4],
    ],
  );
  assert.deepEqual(await entries('class: Something\n'), []);
});

test('broken text keeps its outline while it is being typed', async () => {
  const symbols = listSymbols(
    await rootOf('cwlVersion: v1.2\nclass: CommandLineTool\ninputs:\n  a: [int\noutputs: {o: stdout}\n'),
  );
  assert.equal(symbols[0]?.children?.[0]?.name, 'a');
});
