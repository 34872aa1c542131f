import { type Entry, fieldOf, itemsOf, type MapNode, type Node, textOf } from '#cwl/node.ts';
import { elementsOf, stringOf } from '#cwl/reading.ts';
import { splitFragment, toShortName } from '#cwl/uri.ts';

/** Something that a step's input or a workflow's output can be linked to. */
export interface LinkSource {
  /** As it is written: `input` or `step/output`. */
  name: string;
  kind: 'input' | 'output';
  /** Where it is declared. */
  at: Entry['key'];
}

/** All sources of a workflow, as they stand in its text. */
export function listSources(workflow: MapNode): LinkSource[] {
  const inputs = elementsOf(fieldOf(workflow, 'inputs'), 'id', 'type').flatMap(({ id, key }): LinkSource[] =>
    id === undefined ? [] : [{ name: toShortName(id), kind: 'input', at: key }],
  );
  const outputs = elementsOf(fieldOf(workflow, 'steps'), 'id').flatMap(({ id, node }) =>
    itemsOf(fieldOf(node, 'out')).flatMap((item): LinkSource[] => {
      const name = textOf(item) ?? stringOf(item, 'id');
      if (id === undefined || name === undefined) return [];
      return [{ name: `${toShortName(id)}/${toShortName(name)}`, kind: 'output', at: item }];
    }),
  );
  return [...inputs, ...outputs];
}

/** The source that a reference means, also where it is written in full as in packed documents. */
export function findSource(workflow: MapNode, reference: string): LinkSource | undefined {
  const name = splitFragment(reference)[1] ?? reference;
  return listSources(workflow).find(source => source.name === name || name.endsWith(`/${source.name}`));
}

/** Ids of a step's inputs, as they stand in its text. */
export function listStepInputs(step: Node | undefined): string[] {
  return elementsOf(fieldOf(step, 'in'), 'id', 'source').flatMap(({ id }) =>
    id === undefined ? [] : [toShortName(id)],
  );
}
