import type { FileReference } from './dependencies.ts';
import { isExpression } from './expression.ts';
import type { FileRules, Process, Type } from './model.ts';
import { applyPattern } from './secondary-files.ts';

/** What may be needed besides files that are named (CWL v1.2, secondaryFiles): each only if it exists. */
export interface Beside {
  /** URIs that patterns give. */
  uris: string[];
  /** Files of which an expression tells the secondary files: any that begins with the same name may be one. */
  families: string[];
}

/**
 * The secondary files that a process and its steps may look for beside `files`. Which pattern is for which file is not
 * asked: a file that no pattern is meant for has no such neighbour.
 */
export function findBeside(process: Process, files: readonly FileReference[]): Beside {
  const patterns = [...collectPatterns(process)];
  const named = files.filter(file => file.class === 'File');
  const plain = patterns.filter(pattern => !isExpression(pattern));
  const uris = named.flatMap(({ uri }) => {
    const at = uri.lastIndexOf('/') + 1;
    return plain.map(pattern => uri.slice(0, at) + applyPattern(uri.slice(at), pattern));
  });
  const isComputed = plain.length < patterns.length;
  return { uris: [...new Set(uris)], families: isComputed ? [...new Set(named.map(file => file.uri))] : [] };
}

function collectPatterns(process: Process, found = new Set<string>(), done = new Set<Process>()): Set<string> {
  if (done.has(process)) return found;
  done.add(process);
  const addRules = ({ secondaryFiles, type }: FileRules & { type: Type }) => {
    for (const { pattern } of secondaryFiles) found.add(pattern);
    addFields(type);
  };
  const addFields = (type: Type): void => {
    if (type.kind === 'record') type.fields.forEach(addRules);
    else if (type.kind === 'array') addFields(type.items);
    else if (type.kind === 'union') type.members.forEach(addFields);
  };
  process.inputs.forEach(addRules);
  if (process.class === 'Workflow') for (const step of process.steps) collectPatterns(step.run, found, done);
  return found;
}
