import { posix } from 'node:path';
import ssh2, { type SFTPWrapper } from 'ssh2';
import type { Failure } from '#base/failure.ts';
import { lostFailure } from './failures.ts';
import { fileFailure, type RemoteFiles } from './files.ts';
import type { Host } from './host.ts';

/** Bytes of one request; servers take at least 32 KiB, OpenSSH 255. */
const chunkSize = 32 * 1024;

/** Requests on their way at once: 2 MiB, as much as OpenSSH's window, so that a far host is as fast as a near one. */
const inFlight = 64;

/** SSH_FX_NO_SUCH_FILE of the sftp protocol, version 3. */
const noSuchFile = 2;

export class SftpFiles implements RemoteFiles {
  readonly way = 'sftp';
  readonly #sftp: SFTPWrapper;
  readonly #host: Host;

  readonly #waiting = new Set<(error: Failure) => void>();
  #isClosed = false;

  /** `closed`: fulfilled when the connection is gone. */
  constructor(sftp: SFTPWrapper, host: Host, closed: Promise<unknown>) {
    this.#sftp = sftp;
    this.#host = host;
    // ssh2 leaves some requests without any answer then.
    const end = () => {
      this.#isClosed = true;
      for (const reject of this.#waiting) reject(lostFailure(host));
    };
    sftp.once('close', end);
    void closed.then(end);
  }

  async findSize(path: string): Promise<number | undefined> {
    try {
      return (await this.#call<{ size: number }>(path, done => this.#sftp.stat(path, done))).size;
    } catch (error) {
      if ((error as { code?: string }).code === 'ssh/no-such-file') return undefined;
      throw error;
    }
  }

  async makeFolder(path: string): Promise<void> {
    if ((await this.findSize(path)) !== undefined) return;
    if (posix.dirname(path) !== path) await this.makeFolder(posix.dirname(path));
    await this.#call<void>(path, done => this.#sftp.mkdir(path, { mode: 0o700 }, done)).catch(async error => {
      // Somebody else may just have made it.
      if ((await this.findSize(path)) === undefined) throw error;
    });
  }

  async append(path: string, offset: number, content: AsyncIterable<Buffer>): Promise<void> {
    const { CREAT, WRITE } = ssh2.utils.sftp.OPEN_MODE;
    const handle = await this.#call<Buffer>(path, done => this.#sftp.open(path, WRITE | CREAT, { mode: 0o600 }, done));
    const pending = new Set<Promise<void>>();
    let failure: unknown;
    let at = offset;
    const send = (chunk: Buffer): void => {
      const position = at;
      at += chunk.length;
      const write = this.#call<void>(path, done => this.#sftp.write(handle, chunk, 0, chunk.length, position, done));
      const settled = write.catch(error => {
        failure ??= error;
      });
      pending.add(settled);
      void settled.then(() => pending.delete(settled));
    };
    try {
      await this.#call<void>(path, done => this.#sftp.fsetstat(handle, { size: offset }, done));
      for await (const block of content) {
        for (let from = 0; from < block.length && failure === undefined; from += chunkSize) {
          send(block.subarray(from, from + chunkSize));
          if (pending.size >= inFlight) await Promise.race(pending);
        }
        if (failure !== undefined) break;
      }
    } finally {
      await Promise.all(pending);
      await this.#call<void>(path, done => this.#sftp.close(handle, done)).catch(error => {
        failure ??= error;
      });
    }
    if (failure !== undefined) throw failure;
  }

  async *read(path: string, offset: number): AsyncIterable<Buffer> {
    const handle = await this.#call<Buffer>(path, done => this.#sftp.open(path, 'r', done));
    const { size } = await this.#call<{ size: number }>(path, done => this.#sftp.fstat(handle, done));
    const queue: Promise<Buffer>[] = [];
    let at = offset;
    try {
      while (at < size || queue.length > 0) {
        while (at < size && queue.length < inFlight) {
          const request = this.#readFully(path, handle, at, Math.min(chunkSize, size - at));
          // It is awaited in its turn; until then a failure is nobody's.
          request.catch(() => {});
          queue.push(request);
          at += chunkSize;
        }
        yield await (queue.shift() as Promise<Buffer>);
      }
    } finally {
      await Promise.allSettled(queue);
      await this.#call<void>(path, done => this.#sftp.close(handle, done)).catch(() => {});
    }
  }

  async remove(path: string): Promise<void> {
    await this.#call<void>(path, done => this.#sftp.unlink(path, done)).catch(error => {
      if (error.code !== 'ssh/no-such-file') throw error;
    });
  }

  close(): void {
    this.#sftp.end();
  }

  /** A server may answer with less than was asked for. */
  async #readFully(path: string, handle: Buffer, position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const count = await this.#call<number>(path, answer =>
        this.#sftp.read(handle, buffer, done, length - done, position + done, answer),
      );
      if (count === 0) break;
      done += count;
    }
    return buffer.subarray(0, done);
  }

  #call<T>(
    path: string,
    start: (done: (error: Error | null | undefined, value?: unknown) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(lostFailure(this.#host));
      this.#waiting.add(reject);
      try {
        start((error, value) => {
          this.#waiting.delete(reject);
          if (error) reject(this.#explain(error, path));
          else resolve(value as T);
        });
      } catch (error) {
        this.#waiting.delete(reject);
        reject(lostFailure(this.#host, error));
      }
    });
  }

  #explain(error: Error & { code?: number }, path: string): Failure {
    // Requests that wait when the channel closes are answered so by ssh2.
    if (/no response|ended|closed/i.test(error.message)) return lostFailure(this.#host, error);
    const reason = error.code === noSuchFile ? 'No such file' : error.message;
    return fileFailure(this.#host.hostName, path, reason, error);
  }
}
