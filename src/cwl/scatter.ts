import { Failure } from '#base/failure.ts';
import { formatPlace } from './expression.ts';
import type { Step, Value } from './model.ts';

/** Where the jobs of a scattered step stand in its outputs: a job's number, or a list of such. */
export type Shape = number | Shape[];

export interface ScatterPlan {
  /** One for each job: what it takes from the lists, and its place in them. */
  jobs: { index: number[]; values: Record<string, Value> }[];
  shape: Shape;
}

/** Splits the lists of a scattered step into jobs (CWL v1.2, WorkflowStep, Scatter/gather). */
export function planScatter(step: Step, inputs: Record<string, Value>): ScatterPlan {
  const lists = step.scatter.map(id => {
    const value = inputs[id] ?? null;
    if (Array.isArray(value)) return { id, items: value };
    throw fault(step, `its input ${id} is scattered and must be an array, not ${JSON.stringify(value)?.slice(0, 60)}`);
  });
  const jobs: ScatterPlan['jobs'] = [];
  const add = (index: number[], values: Record<string, Value>) => jobs.push({ index, values }) - 1;
  if (lists.length === 1 || step.scatterMethod === 'dotproduct' || step.scatterMethod === undefined) {
    const [first] = lists;
    const length = first?.items.length ?? 0;
    const other = lists.find(list => list.items.length !== length);
    if (other)
      throw fault(
        step,
        `dotproduct needs lists of one length, but ${first?.id} has ${length} items and ${other.id} has ${other.items.length}`,
      );
    const shape = Array.from({ length }, (_, i) =>
      add([i], Object.fromEntries(lists.map(({ id, items }) => [id, items[i] as Value]))),
    );
    return { jobs, shape };
  }
  const walk = (depth: number, index: number[], values: Record<string, Value>): Shape => {
    const list = lists[depth];
    if (!list) return add(index, values);
    return list.items.map((item, i) => walk(depth + 1, [...index, i], { ...values, [list.id]: item }));
  };
  const nested = walk(0, [], {});
  return { jobs, shape: step.scatterMethod === 'flat_crossproduct' ? jobs.map((_, i) => i) : nested };
}

/** One output of all jobs, in lists as the shape has them. */
export function gather(shape: Shape, values: readonly Value[]): Value {
  return typeof shape === 'number' ? (values[shape] ?? null) : shape.map(part => gather(part, values));
}

function fault(step: Step, message: string): Failure {
  return new Failure('cwl/scatter', `${formatPlace(step.place)}: step ${step.id}: ${message}`);
}
