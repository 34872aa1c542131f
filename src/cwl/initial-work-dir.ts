import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from './expression.ts';
import { isObject, isPath, type PathValue } from './file-value.ts';
import { formatJson } from './json-text.ts';
import type { ListingEntry, Place, Requirement, Value } from './model.ts';

/** One thing to put into the working directory before the tool starts. */
export type WorkDirEntry = { place: Place } & (
  | { kind: 'text'; name: string; text: string; writable: boolean }
  /** `name` takes the place of the basename where it is given. */
  | { kind: 'path'; name: string | undefined; value: PathValue; writable: boolean }
);

/** Evaluates the listing in all its forms (CWL v1.2, InitialWorkDirRequirement and Dirent). */
export function evaluateWorkDir(
  requirement: Extract<Requirement, { class: 'InitialWorkDirRequirement' }>,
  context: Context,
): WorkDirEntry[] {
  const { listing, place } = requirement;
  if (typeof listing === 'string') return fromValue(evaluate(listing, context, { place }), place);
  return listing.flatMap(entry => fromEntry(entry, context));
}

function fromEntry(entry: ListingEntry, context: Context): WorkDirEntry[] {
  const { place } = entry;
  if (entry.kind === 'value') return fromValue(entry.value, place);
  if (entry.kind === 'expression') return fromValue(evaluate(entry.expression, context, { place }), place);
  const name = entry.entryname === undefined ? null : evaluate(entry.entryname, context, { place });
  // White space around the expression is part of the file that it makes.
  const value = evaluate(entry.entry, context, { place, keepSpace: true });
  return fromDirent(name, value, entry.writable, place);
}

/** What an expression may give: nothing, Files, Directories, Dirents, and lists of them. */
function fromValue(value: Value, place: Place): WorkDirEntry[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value.flatMap(item => fromValue(item, place));
  if (isPath(value)) return [{ kind: 'path', name: undefined, value, writable: false, place }];
  if (isObject(value) && 'entry' in value) {
    return fromDirent((value.entryname ?? null) as Value, value.entry as Value, value.writable === true, place);
  }
  throw new Failure(
    'cwl/expression',
    `${formatPlace(place)}: InitialWorkDirRequirement takes Files, Directories and Dirents, not ${formatJson(value)}`,
  );
}

function fromDirent(name: Value, value: Value, writable: boolean, place: Place): WorkDirEntry[] {
  if (name !== null && typeof name !== 'string') {
    throw new Failure('cwl/expression', `${formatPlace(place)}: entryname must be a string, not ${formatJson(name)}`);
  }
  if (value === null) return [];
  if (isPath(value)) return [{ kind: 'path', name: name ?? undefined, value, writable, place }];
  if (Array.isArray(value) && value.length > 0 && value.every(isPath)) {
    if (name !== null) {
      throw new Failure(
        'cwl/expression',
        `${formatPlace(place)}: entryname "${name}" can't name ${value.length} Files and Directories`,
      );
    }
    return (value as unknown as PathValue[]).map(item => ({
      kind: 'path',
      name: undefined,
      value: item,
      writable,
      place,
    }));
  }
  if (name === null) {
    throw new Failure('cwl/expression', `${formatPlace(place)}: a file made from text needs an entryname`);
  }
  return [{ kind: 'text', name, text: typeof value === 'string' ? value : formatJson(value), writable, place }];
}
