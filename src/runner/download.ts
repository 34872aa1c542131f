import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { Failure } from '#base/failure.ts';
import { isPath, type PathValue, toBasename } from '#cwl/file-value.ts';
import type { Value } from '#cwl/model.ts';
import { pathToReference } from '#cwl/uri.ts';
import type { RunOptions } from './options.ts';

/** The inputs with files at `http:` and `https:` fetched into the run's folder, each once. */
export async function downloadInputs(
  inputs: Record<string, Value>,
  options: RunOptions,
): Promise<Record<string, Value>> {
  const remote = new Set<string>();
  visit(inputs, value => isRemote(value.location) && remote.add(value.location as string));
  if (remote.size === 0) return inputs;
  const folder = join(options.folder, 'downloads');
  mkdirSync(folder, { recursive: true });
  const places = new Map<string, string>();
  for (const url of remote) {
    options.onEvent({
      type: 'progress',
      time: new Date().toISOString(),
      progress: { what: `fetching ${url}`, done: 0, unit: 'bytes' },
    });
    places.set(url, pathToReference(await download(url, folder, options.signal)));
  }
  options.onEvent({ type: 'progress', time: new Date().toISOString(), progress: undefined });
  const changed = structuredClone(inputs);
  visit(changed, value => {
    if (!isRemote(value.location)) return;
    value.basename ??= toBasename(value.location as string);
    value.location = places.get(value.location as string);
  });
  return changed;
}

async function download(url: string, folder: string, signal: AbortSignal): Promise<string> {
  const path = join(folder, createHash('sha256').update(url).digest('hex').slice(0, 32));
  if (existsSync(path)) return path;
  try {
    const answer = await fetch(url, { signal });
    if (!answer.ok || !answer.body) throw new Error(`the server answers ${answer.status} ${answer.statusText}`);
    await pipeline(Readable.fromWeb(answer.body as ReadableStream), createWriteStream(`${path}.partial`), { signal });
    renameSync(`${path}.partial`, path);
    return path;
  } catch (error) {
    throw new Failure('runner/download', `${url} can't be fetched`, { cause: error });
  }
}

function isRemote(location: string | undefined): boolean {
  return location !== undefined && /^https?:/.test(location);
}

function visit(value: unknown, see: (value: PathValue) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (isPath(value)) see(value);
  for (const part of Object.values(value)) visit(part, see);
}
