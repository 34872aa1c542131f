import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { folder, loadValid, memoryReader, tell } from './documents.ts';

const tool = `cwlVersion: v1.2
class: CommandLineTool
baseCommand: a
inputs:
  reads: File[]
  depth: {type: int, default: 3}
  mode: {type: {type: enum, symbols: [fast, slow]}}
  sample: {type: {type: record, fields: {name: string, file: File?}}}
  note: string?
outputs: []
`;
const read = (text: string, files: Record<string, string> = {}) =>
  loadInputs(`${folder}jobs/job.yml`, {
    reader: memoryReader({ 'jobs/job.yml': text, ...files }),
    namespaces: { edam: 'http://edamontology.org/' },
  });
const check = async (text: string) => {
  const inputs = await read(text);
  return [...inputs.problems, ...checkInputs(inputs, await loadValid(tool))]
    .map(tell)
    .map(line => line.replace('jobs/job.yml:', ''));
};
const rest = 'mode: fast\nsample: {name: s}\n';

test('files stand beside the document, formats are written in full', async () => {
  const { values, tool, requirements, problems } = await read(
    `cwl:tool: ../main.cwl#main
cwl:requirements: [{class: EnvVarRequirement, envDef: {A: b}}]
reads:
  - {class: File, path: "a #1.fq", format: edam:format_1930}
  - {class: File, location: http://x.org/b.fq}
  - {class: Directory, listing: [{class: File, location: ../c}]}
"#main/depth": 4
more: {$import: more.yml}`,
    { 'jobs/more.yml': '{class: File, path: d}' },
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(values, {
    reads: [
      { class: 'File', location: `${folder}jobs/a%20%231.fq`, format: 'http://edamontology.org/format_1930' },
      { class: 'File', location: 'http://x.org/b.fq' },
      { class: 'Directory', listing: [{ class: 'File', location: `${folder}c` }] },
    ],
    depth: 4,
    more: { class: 'File', location: `${folder}jobs/d` },
  });
  assert.equal(tool, `${folder}main.cwl#main`);
  assert.deepEqual(
    requirements.map(each => each.class),
    ['EnvVarRequirement'],
  );
});

test('JSON and an empty document are input objects too', async () => {
  assert.deepEqual((await read('{"depth": 1e2, "note": "\\u00e9"}')).values, { depth: 100, note: 'é' });
  assert.deepEqual((await read('')).values, {});
});

test('what fits has no problems', async () => {
  assert.deepEqual(await check(`reads: [{class: File, path: a}]\n${rest}note: null`), []);
});

test('missing inputs, once for each', async () => {
  assert.deepEqual(await check('depth: null\n'), [
    '1:1 error cwl/missing-input: The input reads is missing: it takes File[].',
    '1:1 error cwl/missing-input: The input mode is missing: it takes one of "fast", "slow".',
    '1:1 error cwl/missing-input: The input sample is missing: it takes record {name: string, file: File?}.',
  ]);
});

test('wrong types at the innermost place', async () => {
  assert.deepEqual(await check('reads: [a.fq, {path: b}]\ndepth: deep\nmode: fsat\nsample: {file: 1}\nnote: [x]'), [
    '1:9 error cwl/wrong-type: reads[0] takes File, not the string "a.fq". Write {class: File, path: a.fq}.',
    '1:15 error cwl/wrong-type: reads[1] takes File, not a map. Add class: File.',
    '2:8 error cwl/wrong-type: depth takes int, not the string "deep".',
    '3:7 error cwl/wrong-value: mode is one of "fast", "slow", not "fsat". Did you mean fast?',
    '4:9 error cwl/missing-field: sample lacks the field name: it takes string.',
    '4:16 error cwl/wrong-type: sample.file takes File?, not the number 1.',
    '5:7 error cwl/wrong-type: note takes string?, not a list.',
  ]);
});

test('names that the process does not have are told, and left out', async () => {
  assert.deepEqual(await check(`reads: []\n${rest}noet: x`), [
    '4:1 warning cwl/unknown-input: main.cwl has no input noet; it is left out. Did you mean note?',
  ]);
});

test('what is no map, or not there, is one problem', async () => {
  assert.deepEqual(await check('- a'), ['1:1 error cwl/wrong-type: An input object is a map: each field is an input.']);
  const lost = await loadInputs(`${folder}lost.yml`, { reader: memoryReader({}) });
  assert.deepEqual(lost.problems.map(tell), ['lost.yml:1:1 error cwl/not-found: lost.yml does not exist.']);
});

test('a number that does not fit its type, or would become another one, is refused', async () => {
  const process = await loadValid(
    'cwlVersion: v1.2\nclass: CommandLineTool\ninputs: {i: int?, l: long?, u: ["null", long, File], d: double?}\noutputs: []\n',
  );
  const tellAll = async (text: string) =>
    checkInputs(await read(text), process).map(problem => tell(problem).replace('jobs/job.yml:', ''));
  assert.deepEqual(await tellAll('i: 2147483647\nl: -9007199254740992\nd: 9007199254740993'), []);
  assert.deepEqual(await tellAll('i: 2147483648\nl: 9007199254740993\nu: 1234567890123456789'), [
    '1:4 error cwl/wrong-type: i takes int?, not the number 2147483648.',
    '2:4 error cwl/rounded: l would be rounded to 9007199254740992: whole numbers beyond 9007199254740991 are not exact here. Let the tool take a string.',
    '3:4 error cwl/rounded: u would be rounded to 1234567890123456768: whole numbers beyond 9007199254740991 are not exact here. Let the tool take a string.',
  ]);
});
