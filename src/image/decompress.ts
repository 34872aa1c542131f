import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Failure } from '#base/failure.ts';
import { splitFrames } from './zstd-frames.ts';

/** A piece of a file: a blob, or a member of an archive that is not compressed itself. */
export interface Slice {
  path: string;
  /** Bytes from the beginning of the file. */
  start: number;
  /** Bytes. */
  length: number;
}

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

const magics: [Compression, string][] = [
  ['gzip', '1f8b'],
  ['zstd', '28b52ffd'],
  ['xz', 'fd377a585a00'],
  ['bzip2', '425a68'],
];

// Large pieces (bytes): each one is a trip to a thread and a buffer to collect, and small files are written from one
// piece without a copy. Measured; below and above it costs more time or memory.
const chunkSize = 1 << 20;
const readSize = 1 << 18;

/** By the first bytes, as container engines do it: media types and file names may be wrong. */
export function findCompression({ path, start, length }: Slice): Compression {
  const head = Buffer.alloc(Math.min(8, length));
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, start);
  } finally {
    closeSync(file);
  }
  const hex = head.toString('hex');
  // Skippable frames may come first in zstd (RFC 8878, §3.1.2).
  if (/^5[0-9a-f]2a4d18/.test(hex)) return 'zstd';
  return magics.find(([, magic]) => hex.startsWith(magic))?.[0] ?? 'none';
}

/** The uncompressed bytes; decompression runs in a thread of its own beside whoever reads. */
export async function* decompress(slice: Slice, signal?: AbortSignal): AsyncGenerator<Buffer> {
  if (slice.length === 0) return;
  const compression = findCompression(slice);
  const { path, start, length } = slice;
  const source = createReadStream(path, { start, end: start + length - 1, highWaterMark: readSize, signal });
  if (compression === 'none') {
    yield* source;
    return;
  }
  const output =
    compression === 'xz' || compression === 'bzip2'
      ? runDecompressor(source, compression)
      : inflate(source, compression);
  try {
    yield* output;
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof Failure || (cause as NodeJS.ErrnoException).syscall) throw cause;
    throw new Failure('image/invalid-layer', `${compression} data is broken or cut off`, { cause });
  } finally {
    source.destroy();
  }
}

async function* inflate(source: Readable, compression: 'gzip' | 'zstd'): AsyncGenerator<Buffer> {
  const decoder = compression === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
  const input = compression === 'gzip' ? source : Readable.from(splitFrames(source), { objectMode: true });
  input.on('error', error => decoder.destroy(error));
  yield* input.pipe(decoder);
}

/** xz and bzip2 are read by the programs of that name: every Linux distribution has them, JavaScript has not. */
async function* runDecompressor(source: Readable, program: 'xz' | 'bzip2'): AsyncGenerator<Buffer> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text.slice(0, 1000)));
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', cause => {
      const hint = `Install ${program}, or compress the archive with gzip or zstd.`;
      reject(new Failure('image/no-decompressor', `${program} is needed to read this archive`, { hint, cause }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Failure('image/invalid-layer', `${program} data is broken: ${stderr.trim() || signal}`));
    });
  });
  // The error that counts is awaited below; the pipe to a program that has ended fails as well.
  ended.catch(() => {});
  child.stdin.on('error', () => {});
  source.on('error', error => child.stdout.destroy(error));
  source.pipe(child.stdin);
  try {
    yield* child.stdout;
    await ended;
  } finally {
    child.kill();
  }
}
