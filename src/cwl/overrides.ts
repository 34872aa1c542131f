/** Requirements that somebody puts in the place of those of a document, without changing it (`cwltool:overrides`). */
import type { Process, Requirement } from './model.ts';
import { fieldOf, type Node, problemAt } from './node.ts';
import { readRequirements } from './read-requirement.ts';
import type { Reading } from './reading.ts';
import { resolveUri, splitFragment } from './uri.ts';

/** What holds for one process or step. */
export interface Override {
  /** URI of a document, perhaps with the id of a process or step: `wf.cwl#step1`. */
  target: string;
  requirements: Requirement[];
}

/** Reads a map of targets to `requirements`; targets start at the document that the map stands in. */
export function readOverrides(node: Node | undefined, reading: Reading): Override[] {
  if (node?.kind !== 'map') return [];
  return [...node.entries].map(([name, { key, value }]) => {
    const { known, unknown } = readRequirements(fieldOf(value, 'requirements'), reading);
    for (const { class: unknownClass, node: at } of unknown) {
      reading.problems.push(problemAt(at, 'cwl/unknown-requirement', `There is no requirement ${unknownClass}.`));
    }
    return { target: resolveUri(key.source.base, name), requirements: known };
  });
}

/** A copy of `process` with the overrides in it and in its steps; what they name twice goes to the later one. */
export function applyOverrides(root: Process, overrides: readonly Override[]): Process {
  if (overrides.length === 0) return root;
  const done = new Map<Process, Process>();
  const change = (process: Process): Process => {
    const known = done.get(process);
    if (known) return known;
    const own = override(process, namesOf(process.id, process.place.uri));
    const changed =
      own.class === 'Workflow'
        ? {
            ...own,
            steps: own.steps.map(step => {
              const names = namesOf(process.id, process.place.uri).map(
                id => `${id}${id.includes('#') ? '/' : '#'}${step.id}`,
              );
              return { ...override(step, names), run: change(step.run) };
            }),
          }
        : own;
    done.set(process, changed);
    return changed;
  };
  const override = <T extends { requirements: Requirement[] }>(holder: T, names: readonly string[]): T => {
    const own = overrides.filter(each => names.includes(each.target)).flatMap(each => each.requirements);
    if (own.length === 0) return holder;
    // A later requirement of the same class takes the place of an earlier one.
    return { ...holder, requirements: [...holder.requirements, ...own] };
  };
  return change(root);
}

/** A process is known by its id; one that has a document for itself, by that too. */
function namesOf(id: string, document: string): string[] {
  const [own, fragment] = splitFragment(id);
  return own === document && (fragment === undefined || !fragment.includes('/')) ? [id, own] : [id];
}
