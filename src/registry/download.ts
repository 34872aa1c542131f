import { createHash, type Hash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { Failure } from '#base/failure.ts';
import type { Descriptor } from './manifest.ts';
import { mismatch, type Registry } from './registry.ts';

/**
 * Brings a blob into the file `path`, and goes on with what is there already. Its digest is computed while it streams;
 * throws a Failure `image/digest-mismatch` where it is another one. A broken connection goes on where it stopped.
 * `onBytes` is told how many bytes came (negative where some turned out to be useless).
 */
export async function downloadFile(
  registry: Registry,
  blob: Descriptor,
  path: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const partial = new Partial(path);
  try {
    partial.resume(blob.size);
    onBytes(partial.size);
    await registry.retry(`${blob.digest}`, async () => {
      if (partial.size === blob.size) return;
      const response = await registry.openBlob(blob, partial.size, signal);
      if (!continuesAt(response.status, response.headers['content-range'], partial.size)) {
        onBytes(-partial.size);
        partial.restart();
      }
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        partial.append(chunk);
        onBytes(chunk.length);
        if (partial.size > blob.size) {
          throw new Failure(
            'image/digest-mismatch',
            `${response.url.host} sends more than the ${blob.size} bytes of ${blob.digest}`,
          );
        }
      }
      if (partial.size < blob.size) throw new Error(`the connection ended after ${partial.size} of ${blob.size} bytes`);
    });
    const found = partial.digest();
    if (found !== blob.digest) throw mismatch('a layer', blob.digest, found, registry.host);
  } finally {
    partial.close();
  }
}

/** True for 206 with exactly the rest that was asked for (RFC 9110, §14.4). */
function continuesAt(status: number, range: string | undefined, start: number): boolean {
  return start === 0 || (status === 206 && range?.startsWith(`bytes ${start}-`) === true);
}

/** A file that grows, and the digest of what is in it. */
class Partial {
  size = 0;
  #hash: Hash = createHash('sha256');
  #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a+', 0o600);
  }

  /** Reads what is there already. */
  resume(limit: number): void {
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (;;) {
      const length = readSync(this.#file, buffer, 0, buffer.length, this.size);
      if (length === 0) break;
      this.#hash.update(buffer.subarray(0, length));
      this.size += length;
    }
    if (this.size > limit) this.restart();
  }

  append(chunk: Buffer): void {
    this.#hash.update(chunk);
    for (let done = 0; done < chunk.length; ) done += writeSync(this.#file, chunk, done);
    this.size += chunk.length;
  }

  restart(): void {
    ftruncateSync(this.#file, 0);
    this.#hash = createHash('sha256');
    this.size = 0;
  }

  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }

  close(): void {
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
  }
}
