// Parts of a workflow as processes of their own, and requirements put over those of a document.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { loadInputs } from '#cwl/inputs-document.ts';
import { loadProcess } from '#cwl/load.ts';
import type { Process, Requirement, Workflow } from '#cwl/model.ts';
import { applyOverrides } from '#cwl/overrides.ts';
import { listTargets, selectPart } from '#cwl/select-part.ts';

const files: Record<string, string> = {
  'file:///d/tool.cwl': `cwlVersion: v1.2
class: CommandLineTool
inputs: {x: {type: int, inputBinding: {}}, y: int?}
outputs: {o: stdout}
baseCommand: echo
hints: {EnvVarRequirement: {envDef: {A: old}}}`,
  'file:///d/wf.cwl': `cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}, InlineJavascriptRequirement: {}}
inputs: {a: 'int[]', b: int, c: File?}
outputs:
  first: {type: 'File[]', outputSource: one/o}
  last: {type: File, outputSource: two/o}
steps:
  one: {run: tool.cwl, scatter: x, in: {x: a}, out: [o]}
  two: {run: tool.cwl, in: {x: b, y: {source: b}}, out: [o]}
  sub:
    in: {z: c}
    out: []
    run:
      class: Workflow
      inputs: {z: Any?}
      outputs: {}
      steps: {inner: {run: tool.cwl, in: {x: {default: 3}}, out: [o]}}`,
};
const reader = {
  read: async (uri: string) => files[uri] ?? assert.fail(`nobody asks for ${uri}`),
};

async function load(name = 'wf.cwl'): Promise<Workflow> {
  const { process, problems } = await loadProcess(`file:///d/${name}`, { reader });
  assert.deepEqual(problems, []);
  return process as Workflow;
}
const ids = (list: { id: string }[]) => list.map(each => each.id);

test('a target is run with what it needs, and nothing else is asked for', async () => {
  const workflow = await load();
  const part = selectPart(workflow, { targets: ['last'] }) as Workflow;
  assert.deepEqual([ids(part.inputs), ids(part.steps), ids(part.outputs)], [['b'], ['two'], ['last']]);
  const step = selectPart(workflow, { targets: ['sub', 'one'] }) as Workflow;
  assert.deepEqual([ids(step.inputs), ids(step.steps), ids(step.outputs)], [['a', 'c'], ['one', 'sub'], ['first']]);
  assert.equal(selectPart(workflow, { targets: [] }), workflow);
  assert.deepEqual(listTargets(workflow), { outputs: ['first', 'last'], steps: ['one', 'two', 'sub', 'sub/inner'] });
});

test('a step alone keeps its scatter, and asks for its own inputs', async () => {
  const part = selectPart(await load(), { targets: [], singleStep: 'one' }) as Workflow;
  assert.deepEqual(ids(part.inputs), ['x']);
  assert.deepEqual(part.inputs[0]?.type, { kind: 'array', items: { kind: 'primitive', name: 'int' } });
  assert.deepEqual(part.steps[0]?.in[0]?.source, ['x']);
  const inner = selectPart(await load(), { targets: [], singleStep: 'sub/inner' }) as Workflow;
  assert.deepEqual([ids(inner.inputs), ids(inner.outputs)], [['x'], ['o']]);
});

test('what a step runs is run alone under the requirements around it', async () => {
  const part = selectPart(await load(), { targets: [], singleProcess: 'sub/inner' });
  assert.equal(part.class, 'CommandLineTool');
  assert.ok(part.requirements.some(each => each.class === 'InlineJavascriptRequirement'));
});

test('a name that is not there is told with those that are', async () => {
  const workflow = await load();
  const fails = (wanted: Parameters<typeof selectPart>[1], message: RegExp) =>
    assert.throws(
      () => selectPart(workflow, wanted),
      error => isFailure(error, 'cwl/no-part') && message.test(`${error.message} ${error.hint}`),
    );
  fails({ targets: ['lst'] }, /no step or output lst\..*last/);
  fails({ targets: [], singleStep: 'sub/outer' }, /inner/);
  const tool = await load('tool.cwl');
  assert.throws(() => selectPart(tool, { targets: ['o'] }), /only a Workflow has parts/);
});

test('overrides go to a document, to a step, and before what the document says', async () => {
  files['file:///d/in.yml'] = `b: 1
cwltool:overrides:
  tool.cwl: {requirements: {EnvVarRequirement: {envDef: {A: new}}}}
  wf.cwl#two: {requirements: {ResourceRequirement: {coresMin: 3}}}
  other.cwl: {requirements: {NoSuchRequirement: {}}}`;
  const { overrides, values, problems } = await loadInputs('file:///d/in.yml', { reader });
  assert.deepEqual(values, { b: 1 });
  assert.deepEqual(
    problems.map(problem => [problem.code, problem.range.start.line]),
    [['cwl/unknown-requirement', 4]],
  );
  const workflow = await load();
  const changed = applyOverrides(workflow, overrides) as Workflow;
  const find = (holder: { requirements: Requirement[] } | undefined, name: string) =>
    holder?.requirements.find(each => each.class === name);
  const run = (index: number): Process | undefined => changed.steps[index]?.run;
  const variables = find(run(0), 'EnvVarRequirement');
  assert.deepEqual(variables?.class === 'EnvVarRequirement' && variables.envDef, [{ envName: 'A', envValue: 'new' }]);
  assert.ok(find(changed.steps[1], 'ResourceRequirement'));
  assert.equal(find(changed.steps[0], 'ResourceRequirement'), undefined);
  assert.equal(run(0), run(1), 'what two steps run is changed once');
  assert.equal(find(workflow.steps[0]?.run, 'EnvVarRequirement'), undefined, 'the document itself stays');
});
