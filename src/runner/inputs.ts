import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from '#cwl/expression.ts';
import {
  cloneValue,
  type FileValue,
  findPaths,
  isDirectory,
  isFile,
  isObject,
  type PathValue,
  splitName,
  toBasename,
} from '#cwl/file-value.ts';
import { checkFormat, type Ontology } from '#cwl/format.ts';
import type { FileRules, InputParameter, LoadListing, Place, Type, Value, Version } from '#cwl/model.ts';
import { planSecondaryFiles } from '#cwl/secondary-files.ts';
import { toLocalPath } from '#cwl/uri.ts';
import { checkValue, selectType } from '#cwl/value-check.ts';
import { loadListing, readContents, toPathValue } from './contents.ts';

export interface InputRules {
  context: Context;
  /**
   * Secondary files that are not listed are looked for on the disk: for what the user names, not for what one step
   * hands to the next.
   */
  findsSecondaryFiles(parameter: InputParameter): boolean;
  /** Of LoadListingRequirement, or the version's default. */
  loadListing: LoadListing;
  ontology: Ontology;
}

/** The declared inputs with defaults applied and types checked; throws a Failure `runner/input` that lists all faults. */
export function fillInputs(parameters: readonly InputParameter[], given: Record<string, Value>): Record<string, Value> {
  const inputs: Record<string, Value> = {};
  const faults: string[] = [];
  for (const parameter of parameters) {
    const value = given[parameter.id] ?? parameter.default ?? null;
    const reason = checkValue(value, parameter.type);
    if (reason) faults.push(`${formatPlace(parameter.place)}: input ${parameter.id}: ${reason}`);
    inputs[parameter.id] = cloneValue(value);
  }
  if (faults.length > 0) throw new Failure('runner/input', faults.join('\n'));
  return inputs;
}

/**
 * Completes the Files and Directories of `inputs` in place: names, sizes, secondary files, formats checked, contents
 * and listings loaded. Throws a Failure `runner/input` for what is missing.
 */
export function completeInputs(
  parameters: readonly InputParameter[],
  inputs: Record<string, Value>,
  rules: InputRules,
): void {
  for (const parameter of parameters) {
    const value = inputs[parameter.id] ?? null;
    const own = { ...parameter, loadContents: parameter.loadContents || parameter.inputBinding?.loadContents === true };
    const discovers = rules.findsSecondaryFiles(parameter);
    complete(value, parameter.type, own, {
      ...rules,
      discovers,
      place: parameter.place,
      what: `input ${parameter.id}`,
    });
  }
}

interface Rules extends InputRules {
  discovers: boolean;
  place: Place;
  what: string;
}

function complete(value: Value, type: Type, own: FileRules, rules: Rules): void {
  if (isFile(value)) {
    completeFile(value, own, rules);
    return;
  }
  if (isDirectory(value)) {
    completeNames(value, rules);
    const path = value.location === undefined ? undefined : toLocalPath(value.location);
    if (path !== undefined) loadListing(value, path, own.loadListing ?? rules.loadListing);
    return;
  }
  const selected = selectType(value, type);
  if (Array.isArray(value)) {
    const items: Type = selected?.kind === 'array' ? selected.items : { kind: 'primitive', name: 'Any' };
    for (const item of value) complete(item, items, own, rules);
  } else if (isObject(value)) {
    const fields = selected?.kind === 'record' ? selected.fields : [];
    for (const [name, item] of Object.entries(value as Record<string, Value>)) {
      const field = fields.find(each => each.name === name);
      const fieldRules = { ...rules, what: `${rules.what}.${name}`, place: field?.place ?? rules.place };
      complete(item, field?.type ?? { kind: 'primitive', name: 'Any' }, field ?? noRules, fieldRules);
    }
  }
}

const noRules: FileRules = { secondaryFiles: [], format: [], streamable: false, loadContents: false };

function completeFile(file: FileValue, own: FileRules, rules: Rules): void {
  completeNames(file, rules);
  const path = file.location === undefined ? undefined : toLocalPath(file.location);
  if (own.loadContents && path !== undefined) file.contents = readContents(path, rules.context.version);
  completeSecondaryFiles(file, own, rules);
  if (own.format.length === 0) return;
  const allowed = own.format.flatMap(text => {
    const value = evaluate(text, rules.context, { place: rules.place, self: file as Value });
    return Array.isArray(value) ? value : [value];
  });
  const reason = checkFormat(file.format, allowed.map(String), rules.ontology);
  if (reason)
    throw new Failure('runner/input', `${formatPlace(rules.place)}: ${rules.what}: ${file.basename}: ${reason}`);
}

/** Sets what the specification says of every File and Directory, in secondary files and listings too. */
export function completeNames(value: PathValue, rules: { what: string }): void {
  const isLiteral = value.class === 'Directory' && value.listing !== undefined;
  if (value.location === undefined && value.path !== undefined && !isLiteral) throw unresolved(value, rules.what);
  value.basename ??= value.location === undefined ? inventName(value) : toBasename(value.location);
  const path = value.location === undefined ? undefined : toLocalPath(value.location);
  const found = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
  if (path !== undefined && !found) {
    throw new Failure(
      'runner/input',
      `${rules.what}: there is no ${value.class === 'File' ? 'file' : 'directory'} ${path}`,
    );
  }
  if (found && found.isDirectory() !== (value.class === 'Directory')) {
    throw new Failure(
      'runner/input',
      `${rules.what}: ${path} is a ${found.isDirectory() ? 'directory, not a File' : 'file, not a Directory'}`,
    );
  }
  if (value.class === 'Directory') {
    if (value.location === undefined && !value.listing) {
      throw new Failure('runner/input', `${rules.what}: a Directory needs a location or a listing`);
    }
    for (const entry of value.listing ?? []) completeNames(entry, rules);
    return;
  }
  if (found) value.size = found.size;
  else if (value.contents !== undefined) value.size = Buffer.byteLength(value.contents);
  if (value.location === undefined && value.contents === undefined) {
    throw new Failure('runner/input', `${rules.what}: a File needs a location or contents`);
  }
  if (value.basename !== undefined) Object.assign(value, splitName(value.basename));
  for (const entry of value.secondaryFiles ?? []) completeNames(entry, rules);
}

/** Adds what the rules want and the disk has; throws where a required one is missing. */
function completeSecondaryFiles(primary: FileValue, own: FileRules, rules: Rules): void {
  if (own.secondaryFiles.length === 0) return;
  const options = { requiredByDefault: true, place: rules.place };
  const found = primary.secondaryFiles ?? [];
  for (const wish of planSecondaryFiles(primary, own.secondaryFiles, rules.context, options)) {
    for (const wanted of wish.wanted) {
      const name = typeof wanted === 'string' ? wanted : (wanted.basename ?? toBasename(wanted.location ?? ''));
      if (found.some(entry => entry.basename === name)) continue;
      const beside = typeof wanted === 'string' && rules.discovers ? findBeside(primary, wanted) : undefined;
      const entry = typeof wanted === 'string' ? beside : cloneValue(wanted);
      if (entry) {
        completeNames(entry, rules);
        found.push(entry);
      } else if (wish.required) {
        throw new Failure(
          'runner/input',
          `${formatPlace(rules.place)}: ${rules.what}: ${primary.basename} needs the secondary file ${name}, which is not there`,
        );
      }
    }
  }
  if (found.length > 0) primary.secondaryFiles = found;
}

/** A literal without a name gets one that is the same whenever the run is repeated. */
function inventName(value: PathValue): string {
  const content = value.class === 'File' ? (value.contents ?? '') : JSON.stringify(value.listing ?? []);
  return `literal-${createHash('sha1').update(content).digest('hex').slice(0, 12)}`;
}

function findBeside(primary: FileValue, name: string): PathValue | undefined {
  const path = primary.location === undefined ? undefined : toLocalPath(primary.location);
  if (path === undefined) return undefined;
  return toPathValue(join(dirname(path), name), name.slice(name.lastIndexOf('/') + 1));
}

function unresolved(value: PathValue, what: string): Failure {
  return new Failure('runner/input', `${what}: ${value.path} has a path but no location`);
}

/** Names, `loadContents` and `loadListing` of a step's input (CWL v1.2, WorkflowStepInput), in place. */
export function completeStepInput(
  value: Value,
  input: { id: string; loadContents: boolean; loadListing?: LoadListing },
  version: Version,
): Value {
  for (const each of findPaths(value)) {
    if (each.basename === undefined) completeNames(each, { what: `step input ${input.id}` });
    const path = each.location === undefined ? undefined : toLocalPath(each.location);
    if (path === undefined) continue;
    if (each.class === 'Directory') loadListing(each, path, input.loadListing);
    else if (input.loadContents) each.contents = readContents(path, version);
  }
  return value;
}
