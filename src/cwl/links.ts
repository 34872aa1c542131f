import { Failure } from '#base/failure.ts';
import { formatPlace } from './expression.ts';
import type { LinkMerge, PickValue, Place, Value } from './model.ts';

/** The end of one or more data links: a step's input, or a workflow's output. */
export interface Sink {
  source: string[];
  sourceIsList: boolean;
  linkMerge?: LinkMerge;
  pickValue?: PickValue;
  place: Place;
}

/** The value that arrives at a sink (CWL v1.2, WorkflowStepInput: merging, then picking). */
export function mergeLinks(sink: Sink, values: readonly Value[]): Value {
  return pick(sink, merge(sink, values));
}

function merge(sink: Sink, values: readonly Value[]): Value {
  if (values.length === 0) return null;
  if (sink.linkMerge === 'merge_flattened') return values.flatMap(value => (Array.isArray(value) ? value : [value]));
  // Without linkMerge a single link passes its value on; with it, also that one is wrapped in a list.
  const isSingle = values.length === 1 && sink.linkMerge === undefined;
  return isSingle ? (values[0] as Value) : [...values];
}

function pick(sink: Sink, value: Value): Value {
  if (sink.pickValue === undefined) return value;
  const items = (Array.isArray(value) ? value : [value]).filter(item => item !== null);
  if (sink.pickValue === 'all_non_null') return items;
  if (items.length === 0)
    throw new Failure(
      'cwl/pick-value',
      `${formatPlace(sink.place)}: ${sink.pickValue}: all of ${sink.source.join(', ')} are null`,
    );
  if (sink.pickValue === 'the_only_non_null' && items.length > 1) {
    throw new Failure(
      'cwl/pick-value',
      `${formatPlace(sink.place)}: the_only_non_null: ${items.length} of ${sink.source.join(', ')} are not null`,
    );
  }
  return items[0] as Value;
}
