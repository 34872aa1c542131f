/** What may stand in a CWL document: read by the checks, and by the editor's hover and completion. */
import type { Version } from './model.ts';

/** The shape of a value. `expression` is a text that must hold `$(...)` or `${...}`; plain text is `string`. */
export type Shape =
  | 'string'
  | 'boolean'
  | 'int'
  | 'number'
  | 'expression'
  | 'any'
  /** Types of parameters, with the type DSL. */
  | 'type'
  /** A process, embedded or by reference. */
  | 'process'
  | 'secondaryFile'
  | 'requirements'
  | 'hints'
  | 'file'
  | { symbols: readonly string[] }
  | { list: Shapes }
  | { record: string }
  /** An array that may be written as a map from `subject`; `predicate` is the field of a value that is no map. */
  | { elements: string; subject: string; predicate?: string };
export type Shapes = Shape | readonly Shape[];

export interface FieldRule {
  shapes: readonly Shape[];
  /** One or two sentences, for a person. */
  doc: string;
  required: boolean;
  since?: Version;
  /** The last version that has it. */
  until?: Version;
  /** Shapes that came with a later version. */
  later?: { since: Version; shapes: readonly Shape[] };
}
export interface RecordRule {
  doc: string;
  fields: Record<string, FieldRule>;
  since?: Version;
}

/** A field that may be left out. */
export function may(shapes: Shapes, doc: string, more: Pick<FieldRule, 'since' | 'until' | 'later'> = {}): FieldRule {
  return {
    shapes: typeof shapes === 'string' || !Array.isArray(shapes) ? [shapes as Shape] : shapes,
    doc,
    required: false,
    ...more,
  };
}

/** A field that must be there. */
export function must(shapes: Shapes, doc: string, more: Pick<FieldRule, 'since' | 'until' | 'later'> = {}): FieldRule {
  return { ...may(shapes, doc, more), required: true };
}

export const oneOrMore = (shape: Shape): readonly Shape[] => [shape, { list: shape }];

const order: readonly Version[] = ['v1.0', 'v1.1', 'v1.2', 'v1.3.0-dev1'];

/** Whether `version` has what came with `since`. */
export function hasFeature(version: Version, since: Version | undefined): boolean {
  return since === undefined || order.indexOf(version) >= order.indexOf(since);
}

/** Whether a document of `version` may have this field. */
export function hasField(version: Version, rule: FieldRule): boolean {
  return (
    hasFeature(version, rule.since) && (rule.until === undefined || order.indexOf(version) <= order.indexOf(rule.until))
  );
}

export function shapesOf(rule: FieldRule, version: Version): readonly Shape[] {
  return rule.later && hasFeature(version, rule.later.since) ? [...rule.shapes, ...rule.later.shapes] : rule.shapes;
}
