// What is made of a process for people and for the run: a template, a graph, what it depends on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findBeside } from '#cwl/beside.ts';
import { findFiles } from '#cwl/dependencies.ts';
import { formatGraph } from '#cwl/graph.ts';
import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { makeInputsTemplate } from '#cwl/template.ts';
import { folder, loadValid, memoryReader } from './documents.ts';

const head = 'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: a\n';

test('a template names every input with its type, and is a valid input object', async () => {
  const process = await loadValid(
    `${head}label: My tool
inputs:
  reads: {type: "File[]", doc: "The reads.\\nIn pairs.", format: "http://x/y", secondaryFiles: .bai}
  depth: {type: int, default: 3}
  note: string?
  mode: {type: enum, symbols: [fast, slow]}
  sample: {type: {type: record, fields: {name: string, on: boolean}}}
  "odd key": Any
outputs: []`.replace(
      'mode: {type: enum, symbols: [fast, slow]}',
      'mode: {type: {type: enum, symbols: ["null", slow]}}',
    ),
  );
  const text = makeInputsTemplate(process);
  assert.equal(
    text,
    `# Inputs of My tool

# The reads.
# In pairs.
# File[]; format http://x/y; with .bai beside it
reads:
  - class: File
    path: path/to/file

# one of "null", "slow"
mode: "null"

# record {name: string, on: boolean}
sample:
  name: text
  on: false

# Any
"odd key": text

# int; this is the default
# depth: 3

# string?
# note: text
`,
  );
  const inputs = await loadInputs(`${folder}job.yml`, { reader: memoryReader({ 'job.yml': text }) });
  assert.deepEqual([...inputs.problems, ...checkInputs(inputs, process)], []);
});

test('a graph holds steps, links and the steps of subworkflows', async () => {
  const process = await loadValid({
    'main.cwl': `cwlVersion: v1.2
class: Workflow
requirements: {SubworkflowFeatureRequirement: {}, ScatterFeatureRequirement: {}}
inputs: {f: "File[]"}
outputs: {o: {type: "File[]", outputSource: sub/o}}
steps:
  one: {run: tool.cwl, in: {a: f}, out: [b], scatter: a, label: 'say "one"'}
  sub: {run: sub.cwl, in: {i: one/b}, out: [o]}`,
    'sub.cwl':
      'cwlVersion: v1.2\nclass: Workflow\nrequirements: {ScatterFeatureRequirement: {}}\ninputs: {i: "File[]"}\noutputs: {o: {type: "File[]", outputSource: in/b}}\nsteps: {in: {run: tool.cwl, in: {a: i}, out: [b], scatter: a}}',
    'tool.cwl': `${head}inputs: {a: File}\noutputs: {b: stdout}`,
  });
  const lines = formatGraph(process)
    .split('\n')
    .map(line => line.trim());
  for (const line of [
    '"one" [label="say \\"one\\"\\nfor each a"];',
    'subgraph "cluster_sub" {',
    '"in/f" -> "one";',
    '"one" -> "sub/in/i";',
    '"sub/in/i" -> "sub/in";',
    '"sub/in" -> "sub/out/o";',
    '"sub/out/o" -> "out/o";',
  ]) {
    assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`);
  }
});

test('files that a process names travel with it', async () => {
  const process = await loadValid({
    'main.cwl': `cwlVersion: v1.2
class: Workflow
inputs: {f: {type: File, default: {class: File, path: a.txt, secondaryFiles: [{class: File, path: a.idx}]}}}
outputs: []
steps:
  s: {run: sub/tool.cwl, in: {x: {default: {class: Directory, path: folder}}}, out: []}
$schemas: [edam.owl]`,
    'sub/tool.cwl': `${head}inputs: {x: Directory}
outputs: []
requirements:
  InitialWorkDirRequirement: {listing: [{class: File, location: script.py}, {class: File, basename: t, contents: text}, $(inputs.x)]}
  DockerRequirement: {dockerLoad: image.tar}`,
  });
  assert.deepEqual(
    findFiles(process).map(file => [file.class, file.uri.replace(folder, '')]),
    [
      ['File', 'a.txt'],
      ['File', 'a.idx'],
      ['File', 'edam.owl'],
      ['Directory', 'folder'],
      ['File', 'sub/script.py'],
      ['File', 'sub/image.tar'],
    ],
  );
});

test('secondary files are looked for beside what is named, wherever a pattern stands', async () => {
  const file = { uri: 'file:///data/a%20b.sorted.bam', class: 'File' } as const;
  const folderReference = { uri: 'file:///data/x', class: 'Directory' } as const;
  const find = async (inputs: string) =>
    findBeside(
      await loadValid(`${head}requirements: {InlineJavascriptRequirement: {}}\ninputs: ${inputs}\noutputs: []`),
      [file, folderReference],
    );
  assert.deepEqual(await find('{x: {type: File, secondaryFiles: [.bai, ^.bai?]}}'), {
    uris: ['file:///data/a%20b.sorted.bam.bai', 'file:///data/a%20b.sorted.bai'],
    families: [],
  });
  const record = '{x: {type: {type: record, fields: {y: {type: "File[]", secondaryFiles: .tbi}}}}}';
  assert.deepEqual((await find(record)).uris, ['file:///data/a%20b.sorted.bam.tbi']);
  assert.deepEqual(await find('{x: {type: File, secondaryFiles: ["$(self.nameroot).bai"]}}'), {
    uris: [],
    families: ['file:///data/a%20b.sorted.bam'],
  });
});
