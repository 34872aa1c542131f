import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { Failure } from '#base/failure.ts';
import { parseDigest } from '#registry/digest.ts';
import { fetchUrl } from '#registry/http.ts';
import { ArchiveIndex } from './archive-index.ts';
import { decompress, findCompression, type Slice } from './decompress.ts';
import { toDiskFailure } from './disk-failure.ts';
import { removeTree } from './remove-tree.ts';
import type { Store } from './store.ts';
import { allowedBytes, tooLarge, type UnpackLimits } from './unpack.ts';

/** A named set of files that images are read from: a folder, or an uncompressed tar. */
export interface Archive {
  find(name: string): Slice | undefined;
  /** Names of the files that lie in it or in its folders; of those further down perhaps, of links perhaps not. */
  list(): string[];
  /** Removes what was unpacked or fetched to read it. */
  close(): void;
}

/** An image of an archive, before its layers are read. */
export interface Candidate {
  /** Names that the archive gives it. */
  names: string[];
  /** Its digest in the store, its configuration, and the files of the archive that are its layers, lowest first. */
  open(
    signal?: AbortSignal,
  ): Promise<{ digest: string; config: Buffer; layers: { name: string; digest?: string; file: string }[] }>;
}

interface ReadOptions {
  signal?: AbortSignal;
  limits?: Partial<UnpackLimits>;
}

/** Opens the folder of an OCI layout, or a tar that may be compressed. */
export async function openArchive(path: string, place: string, store: Store, options: ReadOptions): Promise<Archive> {
  try {
    return await open(path, store, options);
  } catch (error) {
    if (!(error instanceof Failure && error.code.startsWith('image/invalid-'))) throw error;
    const reason = error.message.replaceAll(path, 'it');
    throw new Failure('image/invalid-archive', `${place} can't be read: ${reason}`, {
      hint: 'Make or copy the archive again.',
      cause: error,
    });
  }
}

async function open(path: string, store: Store, options: ReadOptions): Promise<Archive> {
  const stat = statArchive(path);
  if (stat.isDirectory()) {
    return {
      find(name) {
        const file = statSync(join(path, name), { throwIfNoEntry: false });
        return file?.isFile() ? { path: join(path, name), start: 0, length: file.size } : undefined;
      },
      list: () =>
        readdirSync(path, { withFileTypes: true }).flatMap(entry =>
          entry.isDirectory() ? readdirSync(join(path, entry.name)).map(name => `${entry.name}/${name}`) : entry.name,
        ),
      close() {},
    };
  }
  const whole = { path, start: 0, length: stat.size };
  if (findCompression(whole) === 'none') {
    const index = new ArchiveIndex(path);
    return { find: name => index.find(name), list: () => index.list(), close() {} };
  }
  const { signal, limits } = options;
  // Layers are read from the top down, which a compressed archive does not allow.
  const temporary = store.temporaries.make('archive');
  try {
    await writeAll(decompress(whole, signal), temporary, allowedBytes(stat.size, limits));
    const index = new ArchiveIndex(temporary);
    return { find: name => index.find(name), list: () => index.list(), close: () => removeTree(temporary) };
  } catch (error) {
    removeTree(temporary);
    throw toDiskFailure(error, store.folder);
  }
}

/**
 * The path of an archive on this disk. What is named by URL, is a pipe, or comes from the standard input (`-`) is
 * brought into the store's temporaries first.
 */
export async function fetchArchive(
  place: string,
  store: Store,
  signal?: AbortSignal,
): Promise<{ path: string; close(): void }> {
  if (place === '-') return saveStream(process.stdin, store, signal);
  if (!/^https?:\/\//.test(place)) {
    if (statSync(place, { throwIfNoEntry: false })?.isFIFO()) return saveStream(createReadStream(place), store, signal);
    return { path: place, close() {} };
  }
  const path = store.temporaries.make('archive');
  try {
    const response = await fetchUrl(new URL(place), { signal });
    if (response.status !== 200) {
      response.body.destroy();
      throw new Failure('image/no-archive', `${place} can't be fetched: the server answers ${response.status}`);
    }
    const expected = response.headers['content-length'];
    const size = await writeAll(response.body, path);
    if (expected !== undefined && Number(expected) !== size) {
      throw new Failure('image/no-archive', `${place} was cut off after ${size} of ${expected} bytes`, {
        hint: 'Try again.',
      });
    }
    return { path, close: () => removeTree(path) };
  } catch (error) {
    removeTree(path);
    signal?.throwIfAborted();
    const failure = toDiskFailure(error, store.folder);
    if (failure instanceof Failure) throw failure;
    throw new Failure('image/no-archive', `${place} can't be fetched`, { cause: error });
  }
}

async function saveStream(stream: Readable, store: Store, signal?: AbortSignal) {
  const path = store.temporaries.make('archive');
  try {
    await writeAll(signal ? addAbortSignal(signal, stream) : stream, path);
    return { path, close: () => removeTree(path) };
  } catch (error) {
    removeTree(path);
    signal?.throwIfAborted();
    throw toDiskFailure(error, store.folder);
  }
}

/** The bytes of a file; throws where it is larger than `limit`, or its digest is another than its name says. */
export function readSlice({ path, start, length }: Slice, limit: number, digest?: string): Buffer {
  if (length > limit) throw new Failure('image/invalid-archive', `a manifest in ${path} is larger than ${limit} bytes`);
  const bytes = Buffer.alloc(length);
  const file = openSync(path, 'r');
  try {
    readSync(file, bytes, 0, length, start);
  } finally {
    closeSync(file);
  }
  if (digest && createHash('sha256').update(bytes).digest('hex') !== parseDigest(digest)) throw damaged(path, digest);
  return bytes;
}

/** `sha256:...` of a part of a file. */
export async function hashSlice({ path, start, length }: Slice, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  if (length > 0) {
    const options = { start, end: start + length - 1, highWaterMark: 1 << 20, signal };
    for await (const chunk of createReadStream(path, options) as AsyncIterable<Buffer>) hash.update(chunk);
  }
  return `sha256:${hash.digest('hex')}`;
}

export function damaged(path: string, digest: string): Failure {
  return new Failure('image/digest-mismatch', `${path} is damaged: ${digest} in it has another digest`, {
    hint: 'Make or copy the archive again.',
  });
}

export function statArchive(path: string) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat) return stat;
  throw new Failure('image/no-archive', `there is no ${path}`, { hint: 'Check the path of the archive.' });
}

async function writeAll(
  chunks: AsyncIterable<Buffer>,
  path: string,
  limit = Number.POSITIVE_INFINITY,
): Promise<number> {
  const file = openSync(path, 'wx', 0o600);
  let size = 0;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > limit) throw tooLarge('the archive', limit);
      for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
    }
  } finally {
    closeSync(file);
  }
  return size;
}
