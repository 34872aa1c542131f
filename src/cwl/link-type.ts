/** What arrives at the end of a link, by the types of what it comes from. */
import { withoutNull } from './fit-type.ts';
import type { LinkMerge, PickValue, Step, Type, Workflow } from './model.ts';
import { toUnion } from './read-type.ts';
import { membersOf } from './type-text.ts';

interface Sink {
  source: string[];
  linkMerge?: LinkMerge;
  pickValue?: PickValue;
}
const nothing: Type = { kind: 'primitive', name: 'null' };
const anything: Type = { kind: 'primitive', name: 'Any' };

/** The types of all sources in a workflow by short id: its inputs, and the outputs of its steps. */
export function typesOfSources(workflow: Workflow): Map<string, Type> {
  const types = new Map<string, Type>();
  for (const input of workflow.inputs) {
    types.set(input.id, input.default === undefined ? input.type : withoutNull(input.type));
  }
  for (const step of workflow.steps) {
    for (const id of step.out) {
      const output = step.run.outputs.find(each => each.id === id);
      types.set(`${step.id}/${id}`, output ? typeOfOutput(output.type, step) : anything);
    }
  }
  return types;
}

/** What the links of `sink` bring together (CWL v1.2, WorkflowStepInput); undefined where there are none, or unknown ones. */
export function typeOfSink(sink: Sink, types: ReadonlyMap<string, Type>): Type | undefined {
  const sources = sink.source.map(id => types.get(id));
  if (sources.length === 0 || sources.includes(undefined)) return undefined;
  const merged = merge(sources as Type[], sink.linkMerge);
  if (sink.pickValue === undefined) return merged;
  const items = membersOf(merged).flatMap(member => (member.kind === 'array' ? [member.items] : []));
  if (items.length === 0) return anything;
  const picked = withoutNull(toUnion(items));
  return sink.pickValue === 'all_non_null' ? { kind: 'array', items: picked } : picked;
}

function merge(sources: Type[], method: LinkMerge | undefined): Type {
  const [only] = sources;
  if (sources.length === 1 && only && method === undefined) return only;
  if (method !== 'merge_flattened') return { kind: 'array', items: toUnion(sources) };
  const items = sources.flatMap(source =>
    membersOf(source).map(member => (member.kind === 'array' ? member.items : member)),
  );
  return { kind: 'array', items: toUnion(items) };
}

/** A step that may be skipped gives null; one that is scattered gives lists. */
function typeOfOutput(type: Type, step: Step): Type {
  let result = step.when !== undefined && !step.loop ? toUnion([nothing, type]) : type;
  if (step.loop)
    result = step.loop.outputMethod === 'all' ? { kind: 'array', items: result } : toUnion([nothing, result]);
  const depth = step.scatter.length === 0 ? 0 : step.scatterMethod === 'nested_crossproduct' ? step.scatter.length : 1;
  for (let level = 0; level < depth; level++) result = { kind: 'array', items: result };
  return result;
}
