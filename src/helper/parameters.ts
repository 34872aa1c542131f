import { Failure } from '#base/failure.ts';
import type { ImagePlace, LogKey, RunOptions, RunRequest } from '#protocol/messages.ts';

/**
 * Checks of what the other end sent: it may be another version, or not our program at all. Each returns the value in its
 * type, or throws `helper/bad-request` with the name of the field.
 */
export type Fields = Record<string, unknown>;

export function toFields(value: unknown, what = 'the request'): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest(what, 'an object');
  return value as Fields;
}

export function takeText(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value.includes('\0')) throw badRequest(name, 'a text');
  return value;
}

export function takeOptionalText(fields: Fields, name: string): string | undefined {
  return fields[name] === undefined || fields[name] === null ? undefined : takeText(fields, name);
}

export function takeTexts(fields: Fields, name: string): string[] {
  const value = fields[name];
  if (!Array.isArray(value) || !value.every(each => typeof each === 'string' && !each.includes('\0'))) {
    throw badRequest(name, 'a list of texts');
  }
  return value;
}

/** A whole number from 0 on. */
export function takeCount(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw badRequest(name, 'a whole number from 0 on');
  }
  return value;
}

export function takeLogKey(fields: Fields): LogKey {
  const stream = takeText(fields, 'stream');
  if (stream !== 'stdout' && stream !== 'stderr' && stream !== 'log') {
    throw badRequest('stream', 'stdout, stderr or log');
  }
  return { run: takeText(fields, 'run'), task: takeOptionalText(fields, 'task'), stream };
}

export function takeRunRequest(fields: Fields): RunRequest {
  const { sources } = fields;
  if (!Array.isArray(sources)) throw badRequest('sources', 'a list');
  return {
    sources: sources.map(each => {
      const source = toFields(each, 'sources');
      return { path: takeText(source, 'path'), digest: takeText(source, 'digest') };
    }),
    folders: fields.folders === undefined ? undefined : takeTexts(fields, 'folders'),
    tool: takeText(fields, 'tool'),
    inputs: toFields(fields.inputs, 'inputs'),
    label: takeText(fields, 'label').slice(0, 500),
    outdir: takeOptionalText(fields, 'outdir'),
    options: fields.options === undefined ? undefined : takeOptions(toFields(fields.options, 'options')),
  };
}

export function takeImagePlace(fields: Fields): ImagePlace {
  const mirrors = fields.mirrors === undefined ? undefined : toFields(fields.mirrors, 'mirrors');
  return {
    imageStore: takeOptionalText(fields, 'imageStore'),
    mirrors: mirrors && Object.fromEntries(Object.keys(mirrors).map(host => [host, takeText(mirrors, host)])),
  };
}

function takeOptions(fields: Fields): RunOptions {
  return {
    ...takeImagePlace(fields),
    engine: takeOptionalText(fields, 'engine'),
    dockerCommand: takeOptionalText(fields, 'dockerCommand'),
    parallel: fields.parallel === undefined ? undefined : takeCount(fields, 'parallel'),
    cache: takeOptionalText(fields, 'cache'),
  };
}

function badRequest(name: string, expected: string): Failure {
  return new Failure('helper/bad-request', `${name} must be ${expected}`, {
    hint: 'The extension and the helper may be of different versions: connect again.',
  });
}
