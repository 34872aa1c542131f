import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from './expression.ts';
import { type FileValue, isFile, isObject, isPath, mapPaths, type PathValue } from './file-value.ts';
import { formatJson } from './json-text.ts';
import type { FileRules, LoadListing, OutputBinding, OutputParameter, Place, Type, Value } from './model.ts';
import { planSecondaryFiles } from './secondary-files.ts';
import { formatType, isOptional } from './type-text.ts';
import { checkValue } from './value-check.ts';

/** The output directory of a task that has ended, as whoever can read it offers it. Paths are those of the task. */
export interface OutputFolder {
  /** Files and Directories that match, sorted; with `path` and `location`. */
  glob(pattern: string): PathValue[];
  /** What lies at a path, relative to the output directory or absolute; undefined where nothing does. */
  find(path: string): PathValue | undefined;
  /** Completes what an expression or cwl.output.json made: gives it a `location`. */
  settle(value: PathValue): PathValue;
  readContents(file: PathValue): string;
  loadListing(directory: PathValue, depth: LoadListing): void;
}

/** The output object of a CommandLineTool (CWL v1.2, CommandOutputBinding). Throws a Failure `cwl/output` that says which output is wrong. */
export function collectOutputs(
  parameters: readonly OutputParameter[],
  folder: OutputFolder,
  context: Context,
  listing: LoadListing,
): Record<string, Value> {
  return Object.fromEntries(
    parameters.map(parameter => {
      const value = collect({ ...parameter, name: parameter.id }, { folder, context, listing });
      const reason = checkValue(value, parameter.type);
      if (reason) throw fault(parameter.place, parameter.id, reason);
      return [parameter.id, value];
    }),
  );
}

interface Part extends FileRules {
  name: string;
  type: Type;
  outputBinding?: OutputBinding;
  place: Place;
}
interface Surroundings {
  folder: OutputFolder;
  context: Context;
  listing: LoadListing;
}

function collect(part: Part, around: Surroundings): Value {
  const record = findRecord(part.type);
  if (!part.outputBinding) {
    if (!record) return null;
    return Object.fromEntries(record.fields.map(field => [field.name, collect(field, around)]));
  }
  const value = bind(part, part.outputBinding, around);
  for (const file of findFiles(value)) addSecondaryFiles(file, part, around);
  for (const file of findFiles(value)) addFormat(file, part, around);
  return value;
}

function bind(part: Part, binding: OutputBinding, around: Surroundings): Value {
  const { folder, context } = around;
  const patterns = binding.glob.flatMap(text => {
    const value = evaluate(text, context, { place: binding.place });
    const list = (Array.isArray(value) ? value : [value]).filter(item => item !== null && item !== '');
    for (const item of list) {
      if (typeof item !== 'string')
        throw fault(binding.place, part.name, `glob must give strings, not ${formatJson(item)}`);
    }
    return list as string[];
  });
  const seen = new Set<string>();
  const found = patterns
    .flatMap(pattern => folder.glob(pattern))
    .filter(each => !seen.has(each.path ?? '') && seen.add(each.path ?? ''));
  for (const each of found) {
    if (each.class === 'Directory') folder.loadListing(each, binding.loadListing ?? part.loadListing ?? around.listing);
    else if (binding.loadContents || part.loadContents) each.contents = folder.readContents(each);
  }
  let value: Value = found as unknown as Value;
  if (binding.outputEval !== undefined) {
    const self = binding.glob.length > 0 ? value : null;
    value = evaluate(binding.outputEval, context, { place: binding.place, self });
    value = mapPaths(value, each => folder.settle(each));
  }
  return narrow(value, part, patterns, folder);
}

/** One match for a single File or Directory stands for itself; no match for nothing, where that is allowed. */
function narrow(value: Value, part: Part, patterns: string[], folder: OutputFolder): Value {
  const members = part.type.kind === 'union' ? part.type.members : [part.type];
  const isSingle = members.some(
    type => type.kind === 'primitive' && (type.name === 'File' || type.name === 'Directory'),
  );
  if (isSingle && Array.isArray(value)) {
    if (value.length === 1) return value[0] as Value;
    if (value.length === 0 && !isOptional(part.type) && !members.some(type => type.kind === 'array')) {
      const asked = patterns.length > 0 ? `nothing matches ${patterns.join(', ')}` : 'it is empty';
      throw fault(part.place, part.name, `expected ${formatType(part.type)}, but ${asked}${tellWhatIsThere(folder)}`);
    }
    if (value.length > 1 && !members.some(type => type.kind === 'array')) {
      const names = value.map(each => (isPath(each) ? each.basename : formatJson(each))).slice(0, 5);
      throw fault(
        part.place,
        part.name,
        `expected ${formatType(part.type)}, but ${value.length} match: ${names.join(', ')}`,
      );
    }
  }
  if (!Array.isArray(value) || value.length > 0 || !isOptional(part.type)) return value;
  // An empty list that an expression has made is what was asked for.
  const isMeant = part.outputBinding?.outputEval !== undefined && checkValue(value, part.type) === undefined;
  return isMeant ? value : null;
}

/** Most often the file is there, under a name that is a little different. */
function tellWhatIsThere(folder: OutputFolder): string {
  const names = folder.glob('*').map(each => each.basename ?? '');
  if (names.length === 0) return '; the output directory is empty';
  return `; the output directory holds ${names.slice(0, 8).join(', ')}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`;
}

function addSecondaryFiles(file: FileValue, part: Part, around: Surroundings): void {
  const options = { requiredByDefault: false, place: part.place };
  for (const wish of planSecondaryFiles(file, part.secondaryFiles, around.context, options)) {
    for (const wanted of wish.wanted) {
      const path = typeof wanted === 'string' ? beside(file, wanted) : undefined;
      const found = path === undefined ? around.folder.settle(wanted as PathValue) : around.folder.find(path);
      const secondary = file.secondaryFiles ?? [];
      if (found && !secondary.some(each => each.basename === found.basename))
        file.secondaryFiles = [...secondary, found];
      else if (!found && wish.required) {
        throw fault(
          part.place,
          part.name,
          `${file.basename} needs the secondary file ${wanted as string}, which was not made`,
        );
      }
    }
  }
  if (file.secondaryFiles?.length === 0) delete file.secondaryFiles;
}

function addFormat(file: FileValue, part: Part, around: Surroundings): void {
  const [text] = part.format;
  if (text === undefined) return;
  const format = evaluate(text, around.context, { place: part.place, self: file as Value });
  if (typeof format === 'string') file.format = format;
}

function beside(file: FileValue, name: string): string {
  const path = file.path ?? file.basename ?? '';
  return path.slice(0, path.lastIndexOf('/') + 1) + name;
}

function findFiles(value: Value): FileValue[] {
  if (isFile(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(findFiles);
  return [];
}

function findRecord(type: Type): Extract<Type, { kind: 'record' }> | undefined {
  if (type.kind === 'union') return type.members.map(findRecord).find(found => found !== undefined);
  return type.kind === 'record' ? type : undefined;
}

function fault(place: Place, name: string, reason: string): Failure {
  return new Failure('cwl/output', `${formatPlace(place)}: output ${name}: ${reason}`);
}

/**
 * Takes cwl.output.json as the output object: Files and Directories are looked up in the output directory, types are
 * checked, bindings are not used (CWL v1.2, CommandLineTool §Output binding).
 */
export function readOutputObject(
  text: string,
  parameters: readonly OutputParameter[],
  folder: OutputFolder,
): Record<string, Value> {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch (error) {
    throw new Failure('cwl/output', `cwl.output.json is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(object)) throw new Failure('cwl/output', 'cwl.output.json does not hold an object');
  const settled = mapPaths(object as Record<string, Value>, value => folder.settle(value)) as Record<string, Value>;
  return Object.fromEntries(
    parameters.map(parameter => {
      const value = settled[parameter.id] ?? null;
      const reason = checkValue(value, parameter.type);
      if (reason) throw fault(parameter.place, parameter.id, `in cwl.output.json: ${reason}`);
      return [parameter.id, value];
    }),
  );
}
