// One document of many: what it means stays the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { loadProcess } from '#cwl/load.ts';
import type { Process } from '#cwl/model.ts';
import { packProcess } from '#cwl/pack.ts';
import { folder, memoryReader } from './documents.ts';

const documents = {
  'main.cwl': `cwlVersion: v1.2
class: Workflow
$namespaces: {edam: "http://edamontology.org/"}
doc: What it is for.
edam:has_topic: edam:topic_1
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}}
inputs:
  reads: {type: "File[]", format: edam:format_1930}
  pair: {type: "types.yml#Pair?"}
  in: {type: int, default: 1}
outputs:
  all: {type: "File[]", outputSource: "#sort/out"}
steps:
  sort: {run: tools/sort.cwl, scatter: file, in: {file: reads, type: in}, out: [out]}
  again:
    in: [{id: file, source: "#sort/out"}]
    scatter: "#again/file"
    out: [{id: out}]
    run: tools/sort.cwl
  inner: {run: packed.cwl#count, in: {name: {default: "#no/reference"}}, out: []}
  own:
    in: {}
    out: []
    run:
      class: Workflow
      inputs: []
      outputs: []
      steps: {deep: {run: other/sort.cwl, in: {}, out: []}}
`.replace('requirements: {', 'requirements: {SchemaDefRequirement: {types: [{$import: types.yml}]}, '),
  'types.yml': 'name: Pair\ntype: record\nfields: {left: "File?", right: {type: "types.yml#Side"}}\n'.replace(
    '{type: "types.yml#Side"}',
    'string',
  ),
  'tools/sort.cwl': `cwlVersion: v1.2
class: CommandLineTool
id: sort
requirements:
  InitialWorkDirRequirement: {listing: [{entryname: script.sh, entry: {$include: script.sh}}]}
inputs:
  file: File
  type: int?
  reference: {type: File, default: {class: File, location: data/ref.fa}}
outputs: {out: {type: File, outputBinding: {glob: out.txt}}}
baseCommand: [sh, script.sh]
`,
  'tools/script.sh': 'sort "$1" # by name\n',
  'other/sort.cwl':
    'cwlVersion: v1.2\nclass: ExpressionTool\ninputs: []\noutputs: []\nexpression: "$({})"\nrequirements: {InlineJavascriptRequirement: {}}\n',
  'packed.cwl': `cwlVersion: v1.2
$graph:
- id: count
  class: Workflow
  requirements: {SubworkflowFeatureRequirement: {}}
  inputs: [{id: "#count/name", type: string}]
  outputs: [{id: "#count/o", type: string, outputSource: "#count/say/o"}]
  steps: [{id: "#count/say", run: "#say", in: [{id: "#count/say/name", source: "#count/name"}], out: ["#count/say/o"]}]
- id: say
  class: ExpressionTool
  requirements: {InlineJavascriptRequirement: {}}
  inputs: [{id: "#say/name", type: string}]
  outputs: [{id: "#say/o", type: string}]
  expression: "$({o: inputs.name})"
`,
};

async function load(uri: string, texts: Record<string, string>) {
  const loaded = await loadProcess(uri, { reader: memoryReader(texts) });
  assert.deepEqual(
    loaded.problems.filter(problem => problem.severity === 'error'),
    [],
  );
  return { ...loaded, process: loaded.process as Process };
}

/** All that has an influence on a run. */
function strip(process: Process): unknown {
  return JSON.parse(
    JSON.stringify(process, (key, value) => {
      if (key === 'id' && typeof value === 'string') return value.replace(/^.*[#/]/, '');
      return /lace$/.test(key) || (key === 'name' && String(value).includes('#')) ? undefined : value;
    }),
  );
}

test('a packed workflow is the workflow', async () => {
  const { process, nodeOf } = await load(`${folder}main.cwl`, documents);
  const packed = packProcess(process, nodeOf) as { $graph: { id: string }[] };
  assert.deepEqual(
    packed.$graph.map(each => each.id),
    ['#main', '#sort', '#count', '#say', '#sort_2'],
  );
  const again = await load(`${folder}elsewhere/packed.json`, { 'elsewhere/packed.json': JSON.stringify(packed) });
  const { id: _, ...wanted } = strip(process) as Record<string, unknown>;
  const { id: __, ...found } = strip(again.process) as Record<string, unknown>;
  const names = (value: unknown) =>
    JSON.stringify(value).replaceAll('"sort_2"', '"sort"').replaceAll('"sort.cwl"', '"sort"');
  assert.deepEqual(JSON.parse(names(found)), JSON.parse(names(wanted)));
  assert.deepEqual(again.documents, [`${folder}elsewhere/packed.json`]);
  const text = JSON.stringify(packed);
  assert.match(text, /"doc":"What it is for\."/);
  assert.match(text, /"edam:has_topic":"edam:topic_1"/);
  assert.match(text, /"default":"#no\/reference"/);
  assert.ok(text.includes(`"location":"${folder}tools/data/ref.fa"`));
  assert.ok(!text.includes('$import') && !text.includes('$include'));
});

test('a tool alone is no graph', async () => {
  const { process, nodeOf } = await load(`${folder}tools/sort.cwl`, documents);
  const packed = packProcess(process, nodeOf) as Record<string, unknown>;
  assert.deepEqual(
    [packed.cwlVersion, packed.class, packed.id, packed.$graph],
    ['v1.2', 'CommandLineTool', undefined, undefined],
  );
});

test('several versions are not one document', async () => {
  const texts = { ...documents, 'other/sort.cwl': documents['other/sort.cwl'].replace('v1.2', 'v1.1') };
  const { process, nodeOf } = await load(`${folder}main.cwl`, texts);
  assert.throws(
    () => packProcess(process, nodeOf),
    error =>
      isFailure(error, 'cwl/pack') && /sort\.cwl:1:1 is of cwlVersion v1\.1, and .*main\.cwl/.test(error.message),
  );
});
