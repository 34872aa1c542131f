import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { isObject, isPath } from '#cwl/file-value.ts';
import type { Process, Value } from '#cwl/model.ts';
import type { Requirements } from '#cwl/requirements.ts';
import { toLocalPath } from '#cwl/uri.ts';

const digests = new WeakMap<object, string>();

/**
 * Tells whether a task of an earlier process is still the same one: a digest of the process, what is in force for it,
 * and its inputs, with size and time of change for files.
 */
export function toTaskKey(process: Process, requirements: Requirements, inputs: Record<string, Value>): string {
  const hash = createHash('sha256').update(digestOf(process));
  hash.update(digestOf(requirements.required)).update(digestOf(requirements.hinted));
  return hash.update(JSON.stringify(inputs, identify)).digest('hex');
}

function digestOf(value: object): string {
  let digest = digests.get(value);
  if (digest === undefined) {
    const plain = value instanceof Map ? [...value] : value;
    digest = createHash('sha256').update(JSON.stringify(plain, leaveOutPlaces)).digest('hex');
    digests.set(value, digest);
  }
  return digest;
}

/** Where something stands in a document has no influence on what it does. */
function leaveOutPlaces(_key: string, value: unknown): unknown {
  return isObject(value) && 'uri' in value && 'range' in value ? undefined : value;
}

function identify(_key: string, value: unknown): unknown {
  if (!isPath(value) || value.location === undefined) return value;
  const path = toLocalPath(value.location);
  const found = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
  if (!found) return value;
  // JSON.stringify calls this again for the copy's parts, not for the copy itself.
  return { ...value, identity: value.class === 'File' ? [found.size, found.mtimeMs] : found.mtimeMs };
}
