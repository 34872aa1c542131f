import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Failure } from '#base/failure.ts';
import type { Reader } from '#cwl/reader.ts';

/** Bytes; a document is refused before it is read if it is larger. */
const sizeLimit = 64 * 1024 * 1024;
const timeLimit = 30_000;

/** Reads documents from this host's file system, and from the web. */
export const fileReader: Reader = {
  async read(uri) {
    if (uri.startsWith('file:')) return readLocal(uri);
    if (/^https?:/.test(uri)) return fetchText(uri);
    throw new Failure('cwl/not-readable', `${uri} can't be read: only file:, http: and https: can.`);
  },
};

/** Synchronously: a few small files are read faster so, and nothing else waits. */
function readLocal(uri: string): string {
  const path = toPath(uri);
  try {
    const status = statSync(path);
    if (!status.isFile()) throw new Failure('cwl/not-readable', `${path} is not a file.`);
    if (status.size > sizeLimit) throw new Failure('cwl/not-readable', `${path} has ${status.size} bytes: too large.`);
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    if (error instanceof Failure) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'may not be read' : `can't be read (${code})`;
    throw new Failure('cwl/not-readable', `${path} ${reason}.`, { cause: error });
  }
}

function toPath(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch (error) {
    throw new Failure('cwl/not-readable', `${uri} is not the URI of a file on this host.`, { cause: error });
  }
}

async function fetchText(uri: string): Promise<string> {
  try {
    const response = await fetch(uri, { signal: AbortSignal.timeout(timeLimit), redirect: 'follow' });
    if (!response.ok) throw new Failure('cwl/not-readable', `${uri}: the server answered ${response.status}.`);
    return await readBody(response, uri);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('cwl/not-readable', `${uri} can't be fetched.`, { cause: error });
  }
}

/** A server may send more than it said, or without end. */
async function readBody(response: Response, uri: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > sizeLimit) throw new Failure('cwl/not-readable', `${uri} has more than ${sizeLimit} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
