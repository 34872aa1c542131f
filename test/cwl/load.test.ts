// What documents become: links, idmaps, DSLs, versions, imports and packed documents.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadProcess } from '#cwl/load.ts';
import type { CommandLineTool, Requirement, Type } from '#cwl/model.ts';
import { formatType } from '#cwl/type-text.ts';
import { folder, load, loadValid, loadWorkflow, memoryReader, tell } from './documents.ts';

const head = 'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: a\n';
const loadTool = async (text: string | Record<string, string>) => (await loadValid(text)) as CommandLineTool;
const requirement = <C extends Requirement['class']>(
  process: { requirements: Requirement[]; hints: Requirement[] },
  name: C,
) =>
  [...process.requirements, ...process.hints].find(
    (each): each is Extract<Requirement, { class: C }> => each.class === name,
  );

test('maps and lists of parameters are the same', async () => {
  const asMap = await loadTool(`${head}inputs: {a: int, b: {type: string?}}\noutputs: {}`);
  const asList = await loadTool(
    `${head}inputs: [{id: a, type: int}, {id: "#main/b", type: ["null", string]}]\noutputs: []`,
  );
  for (const { inputs } of [asMap, asList]) {
    assert.deepEqual(
      inputs.map(({ id, type }) => [id, formatType(type)]),
      [
        ['a', 'int'],
        ['b', 'string?'],
      ],
    );
  }
});

test('the type DSL nests', async () => {
  const { inputs } = await loadTool(
    `${head}inputs: {a: "int[]?", b: "string[][]", c: [File, "null"], d: "cwl:File"}\noutputs: []`,
  );
  assert.deepEqual(
    inputs.map(input => formatType(input.type)),
    ['int[]?', 'string[][]', 'File?', 'File'],
  );
});

test('types of SchemaDefRequirement are found by name, also from another document', async () => {
  const { inputs, outputs } = await loadTool({
    'main.cwl': `${head}requirements:
  - class: SchemaDefRequirement
    types:
      - $import: types.yml#Sample
      - {name: Mode, type: enum, symbols: ["#Mode/fast", slow]}
inputs: {s: "types.yml#Sample[]", m: "#Mode", n: Mode?}
outputs: {o: {type: "types.yml#Sample", outputBinding: {outputEval: $(1)}}}`,
    'types.yml':
      '- {name: Pair, type: record, fields: {a: File, b: File}}\n- {name: Sample, type: record, fields: [{name: "#Sample/pair", type: "#Pair"}]}',
  });
  const [sample, mode, optional] = inputs.map(input => input.type);
  assert.ok(sample?.kind === 'array' && sample.items.kind === 'record');
  assert.equal(sample.items.name, `${folder}types.yml#Sample`);
  assert.deepEqual(
    sample.items.fields.map(field => [field.name, formatType(field.type)]),
    [['pair', 'record Pair']],
  );
  assert.ok(mode?.kind === 'enum');
  assert.deepEqual(mode.symbols, ['fast', 'slow']);
  assert.equal(formatType(optional as Type), 'one of "fast", "slow", or null');
  assert.equal(formatType(outputs[0]?.type as Type), 'record Sample');
});

test('secondaryFiles in every form', async () => {
  const { inputs } = await loadTool(`${head}inputs:
  a: {type: File, secondaryFiles: .bai?}
  b: {type: File, secondaryFiles: [^.dict, {pattern: .fai, required: $(true)}, $(self.basename)?]}
outputs: []`);
  assert.deepEqual(inputs[0]?.secondaryFiles, [{ pattern: '.bai', required: false }]);
  assert.deepEqual(inputs[1]?.secondaryFiles, [
    { pattern: '^.dict' },
    { pattern: '.fai', required: '$(true)' },
    { pattern: '$(self.basename)?' },
  ]);
});

test('v1.0 is told in the words of v1.2', async () => {
  const tool = await loadTool(`cwlVersion: v1.0
class: CommandLineTool
baseCommand: a
inputs: {a: {type: File, secondaryFiles: .bai?, inputBinding: {loadContents: true}}}
outputs: []`);
  assert.deepEqual(tool.inputs[0]?.secondaryFiles, [{ pattern: '.bai?' }]);
  assert.equal(tool.inputs[0]?.loadContents, true);
  assert.equal(requirement(tool, 'LoadListingRequirement')?.loadListing, 'deep_listing');
  assert.equal(requirement(tool, 'NetworkAccess')?.networkAccess, true);
  const newer = await loadTool(`${head}inputs: []\noutputs: []`);
  assert.deepEqual([...newer.requirements, ...newer.hints], []);
});

test('the extensions of cwltool that became requirements keep their meaning', async () => {
  const tool = await loadTool(
    `cwlVersion: v1.0
class: CommandLineTool
$namespaces: {cwltool: "http://commonwl.org/cwltool#"}
baseCommand: a
hints:
  cwltool:LoadListingRequirement: {loadListing: shallow_listing}
  - never
inputs: []
outputs: []`.replace('  - never\n', ''),
  );
  assert.equal(requirement(tool, 'LoadListingRequirement')?.loadListing, 'shallow_listing');
});

test('shortcuts for the standard streams', async () => {
  const text = `${head}inputs: {words: stdin}\noutputs: {o: stdout, e: {type: stderr}}\nstderr: errors.txt`;
  const tool = await loadTool(text);
  assert.equal(tool.stdin, '$(inputs["words"].path)');
  assert.equal(tool.inputs[0]?.streamable, true);
  assert.match(tool.stdout ?? '', /^stdout-[0-9a-f]{8}$/);
  assert.deepEqual(
    tool.outputs.map(output => output.outputBinding?.glob),
    [[tool.stdout], ['errors.txt']],
  );
  assert.equal((await loadTool(text)).stdout, tool.stdout, 'the same name each time');
});

test('files of a default stand beside the document that names them', async () => {
  const { inputs } = await loadTool({
    'main.cwl': `${head}$namespaces: {edam: "http://edamontology.org/"}\ninputs: {$import: sub/inputs.yml}\noutputs: []`,
    'sub/inputs.yml': `$namespaces: {e: "http://e.org/"}
a: {type: File, format: e:one, default: {class: File, location: "x y.txt", format: e:one}}
b: {type: File, default: {class: File, path: "../a#b%.txt", secondaryFiles: [{class: File, path: /abs/c}]}}`.replace(
      /^.*\n/,
      '',
    ),
  });
  assert.deepEqual(inputs[0]?.default, { class: 'File', location: `${folder}sub/x%20y.txt`, format: 'e:one' });
  assert.deepEqual(inputs[1]?.default, {
    class: 'File',
    location: `${folder}a%23b%25.txt`,
    secondaryFiles: [{ class: 'File', location: 'file:///abs/c' }],
  });
});

test('formats and intents are written in full', async () => {
  const tool = await loadTool(`${head}$namespaces: {edam: "http://edamontology.org/"}
$schemas: [edam.owl]
intent: [edam:operation_1]
inputs: {a: {type: File, format: [edam:format_1, $(inputs.b)]}}
outputs: []`);
  assert.deepEqual(tool.inputs[0]?.format, ['http://edamontology.org/format_1', '$(inputs.b)']);
  assert.deepEqual(tool.intent, ['http://edamontology.org/operation_1']);
  assert.deepEqual(tool.schemas, [`${folder}edam.owl`]);
});

test('$import, $include and $mixin', async () => {
  const tool = await loadTool({
    'main.cwl': `cwlVersion: v1.2
class: CommandLineTool
$mixin: shared.yml
baseCommand: own
requirements:
  - class: InlineJavascriptRequirement
    expressionLib: [{$include: lib.js}]
  - $import: more.yml
inputs: {a: {$import: input.yml}}`,
    'shared.yml': 'baseCommand: shared\noutputs: []',
    'lib.js': 'function f() { return "$import"; }\n',
    'more.yml': '- {class: ShellCommandRequirement}\n- {class: WorkReuse, enableReuse: false}',
    'input.yml': 'type: string',
  });
  assert.deepEqual(tool.baseCommand, ['own']);
  assert.deepEqual(requirement(tool, 'InlineJavascriptRequirement')?.expressionLib, [
    'function f() { return "$import"; }\n',
  ]);
  assert.deepEqual(
    tool.requirements.map(each => each.class),
    ['InlineJavascriptRequirement', 'ShellCommandRequirement', 'WorkReuse'],
  );
  assert.equal(formatType(tool.inputs[0]?.type as Type), 'string');
});

test('a text may be included that is imported too', async () => {
  const { inputs, label } = await loadTool({
    'main.cwl': `${head}inputs: {$import: in.yml}\noutputs: []\nlabel: {$include: in.yml}`,
    'in.yml': 'a: int\n',
  });
  assert.equal(inputs[0]?.id, 'a');
  assert.equal(label, 'a: int\n');
});

const packed = `cwlVersion: v1.2
$graph:
  - id: tool
    class: CommandLineTool
    baseCommand: cat
    inputs: [{id: "#tool/text", type: File, inputBinding: {}}]
    outputs: [{id: "#tool/out", type: stdout}]
  - id: "#main"
    class: Workflow
    inputs: [{id: "#main/first", type: File}]
    outputs: [{id: "#main/last", type: File, outputSource: "#main/show/out"}]
    steps:
      - id: "#main/show"
        run: "#tool"
        in: [{id: "#main/show/text", source: "#main/first"}]
        out: ["#main/show/out"]
`;

test('a packed document is entered at main, or where the fragment says', async () => {
  const workflow = await loadWorkflow(packed);
  assert.equal(workflow.id, `${folder}main.cwl#main`);
  const [step] = workflow.steps;
  assert.deepEqual([step?.id, step?.in[0]?.id, step?.in[0]?.source, step?.out], ['show', 'text', ['first'], ['out']]);
  assert.deepEqual(workflow.outputs[0]?.outputSource, ['show/out']);
  assert.equal(step?.run.id, `${folder}main.cwl#tool`);
  for (const options of [{ id: 'tool' }, { id: '#tool' }]) {
    assert.equal((await loadValid(packed, options)).class, 'CommandLineTool');
  }
  const { process } = await loadProcess(`${folder}main.cwl#tool`, { reader: memoryReader({ 'main.cwl': packed }) });
  assert.equal(process?.class, 'CommandLineTool');
});

test('a single process in a graph needs no name', async () => {
  assert.equal(
    (await loadValid(`cwlVersion: v1.2\n$graph: [{id: one, class: Workflow, inputs: [], outputs: [], steps: []}]`))
      .class,
    'Workflow',
  );
});

test('everything checks also the processes of a graph that are not used', async () => {
  const text = packed.replace('$graph:', '$graph:\n  - {id: spare, class: Workflow, inputs: [], outputs: []}');
  assert.deepEqual((await load(text)).problems, []);
  const { problems } = await load(text, { everything: true });
  assert.deepEqual(problems.map(tell), [
    'main.cwl:3:6 error cwl/missing-field: A Workflow needs the field steps: a map or a list.',
  ]);
});

test('a document that many steps run is read once', async () => {
  const steps = Array.from({ length: 50 }, (_, index) => `  s${index}: {run: sub/tool.cwl, in: {a: x}, out: []}`);
  const files = {
    'main.cwl': `cwlVersion: v1.2\nclass: Workflow\ninputs: {x: int}\noutputs: []\nsteps:\n${steps.join('\n')}`,
    'sub/tool.cwl': `${head}inputs: {a: int}\noutputs: []`,
  };
  const reads: Record<string, number> = {};
  const { process, documents } = await loadProcess(`${folder}main.cwl`, { reader: memoryReader(files, reads) });
  assert.ok(process?.class === 'Workflow');
  assert.deepEqual(reads, { 'main.cwl': 1, 'sub/tool.cwl': 1 });
  assert.equal(new Set(process.steps.map(step => step.run)).size, 1);
  assert.deepEqual(documents, [`${folder}main.cwl`, `${folder}sub/tool.cwl`]);
});

test('documents of different versions work together, each by its own rules', async () => {
  const workflow = await loadWorkflow({
    'main.cwl':
      'cwlVersion: v1.2\nclass: Workflow\ninputs: {x: File}\noutputs: []\nsteps:\n  a: {run: old.cwl, in: {a: x}, out: []}\n  b: {run: {class: ExpressionTool, inputs: [], outputs: [], expression: "$({})"}, in: [], out: []}',
    'old.cwl':
      'cwlVersion: v1.0\nclass: CommandLineTool\nbaseCommand: a\ninputs: {a: {type: File, secondaryFiles: .x?}}\noutputs: []',
  });
  assert.deepEqual(
    workflow.steps.map(step => step.run.cwlVersion),
    ['v1.0', 'v1.2'],
  );
  assert.deepEqual(workflow.steps[0]?.run.inputs[0]?.secondaryFiles, [{ pattern: '.x?' }]);
});

test('references go by $base, by URI and by relative path', async () => {
  const workflow = await loadWorkflow({
    'main.cwl': `cwlVersion: v1.2\nclass: Workflow\n$base: "${folder}deep/down/x.cwl"\ninputs: []\noutputs: []\nsteps:\n  a: {run: ../t.cwl, in: [], out: []}\n  b: {run: "${folder}deep/t.cwl", in: [], out: []}\n  c: {run: /docs/deep/t.cwl, in: [], out: []}`,
    'deep/t.cwl': `${head}inputs: []\noutputs: []`,
  });
  assert.equal(new Set(workflow.steps.map(step => step.run.id)).size, 1);
});

test('steps keep what they were written with', async () => {
  const workflow = await loadWorkflow({
    'main.cwl': `cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {xs: "int[]", y: int?}
outputs:
  o: {type: "int[]", outputSource: [s/o, s/o], linkMerge: merge_flattened, pickValue: all_non_null}
steps:
  s:
    run: {class: ExpressionTool, inputs: {a: int, b: int, c: int}, outputs: {o: int}, expression: "\${return {o: 1};}"}
    in:
      a: xs
      b: {source: y, default: 0}
      c: {valueFrom: $(inputs.a)}
    out: [{id: o}]
    scatter: a
    when: $(inputs.b > 0)
`,
  });
  const [step] = workflow.steps;
  assert.ok(step);
  assert.deepEqual(
    step.in.map(each => [each.id, each.source, each.sourceIsList, each.default, each.valueFrom]),
    [
      ['a', ['xs'], false, undefined, undefined],
      ['b', ['y'], false, 0, undefined],
      ['c', [], false, undefined, '$(inputs.a)'],
    ],
  );
  assert.deepEqual([step.scatter, step.when, step.out], [['a'], '$(inputs.b > 0)', ['o']]);
  const [output] = workflow.outputs;
  assert.deepEqual(
    [output?.outputSource, output?.sourceIsList, output?.linkMerge, output?.pickValue],
    [['s/o', 's/o'], true, 'merge_flattened', 'all_non_null'],
  );
});

test('the development version is there only when asked for', async () => {
  const text = `cwlVersion: v1.3.0-dev1
class: Workflow
inputs: {i: int}
outputs: {o: {type: int, outputSource: s/o}}
steps:
  s:
    run: {class: ExpressionTool, inputs: {i: int}, outputs: {o: int}, expression: "\${return {o: inputs.i + 1};}"}
    in: {i: i}
    out: [o]
    when: $(inputs.i < 10)
    loop: {i: o}
    outputMethod: last
`;
  assert.equal((await load(text)).problems[0]?.code, 'cwl/version');
  const { steps } = await loadWorkflow(text, { enableDev: true });
  assert.deepEqual(
    [steps[0]?.loop?.outputMethod, steps[0]?.loop?.when, steps[0]?.loop?.inputs[0]?.source],
    ['last', '$(inputs.i < 10)', ['o']],
  );
  for (const name of ['source', 'outputSource', 'loopSource']) {
    const long = text.replace('loop: {i: o}', `loop: {i: {${name}: o}}`);
    const [step] = (await loadWorkflow(long, { enableDev: true })).steps;
    assert.deepEqual(step?.loop?.inputs[0]?.source, ['o'], name);
  }
  const { problems } = await load(text.replace('    when: $(inputs.i < 10)\n', ''), { enableDev: true });
  assert.deepEqual(problems.filter(each => each.severity === 'error').map(tell), [
    'main.cwl:10:11 error cwl/loop: A loop needs a when, which says whether to go on.',
  ]);
});

test('every object knows its place', async () => {
  const tool = await loadTool(`${head}inputs:\n  a:\n    type: string\n    inputBinding: {position: 1}\noutputs: []`);
  assert.deepEqual(tool.inputs[0]?.place, {
    uri: `${folder}main.cwl`,
    range: { start: { line: 4, character: 2 }, end: { line: 6, character: 31 } },
  });
  assert.deepEqual(tool.inputs[0]?.inputBinding?.place.range.start, { line: 6, character: 18 });
});
