import type { Requirement } from './model.ts';

type ClassName = Requirement['class'];
type Of<C extends ClassName> = Extract<Requirement, { class: C }>;

/** What is in force for a process, with what it inherits (CWL v1.2, Requirements and hints). */
export interface Requirements {
  required: ReadonlyMap<ClassName, Requirement>;
  hinted: ReadonlyMap<ClassName, Requirement>;
}

export const noRequirements: Requirements = { required: new Map(), hinted: new Map() };

/** Own entries take the place of inherited ones of the same class; hints and requirements are kept apart. */
export function inherit(
  outer: Requirements,
  own: { requirements: readonly Requirement[]; hints: readonly Requirement[] },
): Requirements {
  if (own.requirements.length === 0 && own.hints.length === 0) return outer;
  return { required: extend(outer.required, own.requirements), hinted: extend(outer.hinted, own.hints) };
}

/** The one in force: a requirement, also an enclosing one, goes before any hint. */
export function findRequirement<C extends ClassName>(requirements: Requirements, name: C): Of<C> | undefined {
  return (requirements.required.get(name) ?? requirements.hinted.get(name)) as Of<C> | undefined;
}

function extend(
  outer: ReadonlyMap<ClassName, Requirement>,
  own: readonly Requirement[],
): ReadonlyMap<ClassName, Requirement> {
  return own.length === 0 ? outer : new Map([...outer, ...own.map(each => [each.class, each] as const)]);
}
