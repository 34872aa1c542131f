import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from './expression.ts';
import { isObject, isPath } from './file-value.ts';
import type { InputBinding, InputParameter, Type, Value } from './model.ts';
import { selectType } from './value-check.ts';

/** Numbers sort before strings, strings by their UTF-8 encoding (CWL v1.2, CommandLineTool §Input binding). */
export type SortKey = (number | string)[];

/** One binding with the value it takes, and where it goes on the command line. */
export interface BoundInput {
  key: SortKey;
  binding: InputBinding;
  value: Value;
  /** From `arguments`: its value is what `valueFrom` gives. */
  isArgument: boolean;
}

/** Walks the inputs and their types, and collects the bindings of all levels with their sort keys. */
export function bindInputs(inputs: readonly InputParameter[], context: Context): BoundInput[] {
  return inputs.flatMap(input => {
    const value = context.inputs[input.id] ?? null;
    return bind({ type: input.type, binding: input.inputBinding, value, before: [], after: [input.id] }, context);
  });
}

interface Level {
  type: Type;
  binding: InputBinding | undefined;
  value: Value;
  /** Parts of the key before and after the position: array index, and name of the field or parameter. */
  before: SortKey;
  after: SortKey;
}

function bind(level: Level, context: Context): BoundInput[] {
  const { value, binding, before, after } = level;
  if (value === null) return [];
  const type = selectType(value, level.type);
  if (type === undefined) return [];
  const key = binding && [...before, toPosition(binding, context, value), ...after];
  const own: BoundInput[] = key ? [{ key, binding, value, isArgument: false }] : [];
  // What valueFrom makes stands for the whole value.
  if (binding?.valueFrom !== undefined) return own;
  const inner = bindParts(type, level, context);
  for (const item of inner) item.key = [...(key ?? []), ...item.key];
  return [...own, ...inner];
}

function bindParts(type: Type, level: Level, context: Context): BoundInput[] {
  const { value } = level;
  if (Array.isArray(value)) return bindItems(type, value, level, context);
  if (type.kind === 'record' && isObject(value) && !isPath(value)) {
    const fields = type.fields.flatMap(field =>
      bind(
        {
          type: field.type,
          binding: field.inputBinding,
          value: (value[field.name] ?? null) as Value,
          before: level.before,
          after: [field.name],
        },
        context,
      ),
    );
    return type.inputBinding ? bindType(type.inputBinding, level, context, fields) : fields;
  }
  if (type.kind === 'enum' && type.inputBinding) return bindType(type.inputBinding, level, context, []);
  return [];
}

/** The binding that a type carries itself, in front of the parts of the value. */
function bindType(binding: InputBinding, level: Level, context: Context, parts: BoundInput[]): BoundInput[] {
  const key = [...level.before, toPosition(binding, context, level.value), ...level.after];
  for (const item of parts) item.key = [...key, ...item.key];
  return [{ key, binding, value: level.value, isArgument: false }, ...(binding.valueFrom === undefined ? parts : [])];
}

/**
 * Items take the binding of the array's own type; without one, where the parameter has a binding that does not join
 * them, each item is added bare.
 */
function bindItems(type: Type, items: Value[], level: Level, context: Context): BoundInput[] {
  const { binding } = level;
  const isArray = type.kind === 'array';
  const itemType: Type = isArray ? type.items : { kind: 'primitive', name: 'Any' };
  let itemBinding = isArray ? type.inputBinding : undefined;
  if (!itemBinding && binding && binding.itemSeparator === undefined) {
    itemBinding = { separate: true, shellQuote: binding.shellQuote, loadContents: false, place: binding.place };
  }
  return items.flatMap((value, index) =>
    bind({ type: itemType, binding: itemBinding, value, before: [index], after: level.after }, context),
  );
}

/** The number that `position` stands for; null and nothing are 0. */
export function toPosition(binding: InputBinding, context: Context, self: Value): number {
  if (typeof binding.position !== 'string') return binding.position ?? 0;
  const value = evaluate(binding.position, context, { self, place: binding.place });
  if (value === null) return 0;
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new Failure(
    'cwl/expression',
    `${formatPlace(binding.place)}: position must be an integer, ${binding.position} gives ${JSON.stringify(value)}`,
  );
}

/** A key that another one begins with goes first. */
export function compareKeys(a: SortKey, b: SortKey): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = comparePart(a[i] as number | string, b[i] as number | string);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function comparePart(a: number | string, b: number | string): number {
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1;
  if (typeof b === 'number') return 1;
  return compareUtf8(a, b);
}

/** UTF-8 sorts as code points do; UTF-16 does not, where surrogates meet characters above them. */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  for (let i = 0; i < a.length && i < b.length; ) {
    const x = a.codePointAt(i) as number;
    const y = b.codePointAt(i) as number;
    if (x !== y) return x - y;
    i += x > 0xffff ? 2 : 1;
  }
  return a.length - b.length;
}
