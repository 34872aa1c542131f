import type { Progress } from '#base/log.ts';
import type { Connection } from '#ssh/connection.ts';
import type { Helper } from './helper.ts';

export interface TransferOptions {
  onProgress?(progress: Progress): void;
  signal?: AbortSignal;
}

/** What `Cluster` has and a transfer needs. */
export interface Ends {
  connection: Connection;
  helper: Helper;
}

/** Adds up what has gone over the wire, and tells it. */
export class TransferProgress {
  readonly #what: string;
  readonly #total: number;
  readonly #options: TransferOptions;
  #done = 0;

  constructor(what: string, total: number, options: TransferOptions) {
    this.#what = what;
    this.#total = total;
    this.#options = options;
  }

  add(bytes: number): void {
    this.#done += bytes;
    this.#options.onProgress?.({ what: this.#what, done: this.#done, total: this.#total, unit: 'bytes' });
  }

  /** Passes `content` on, counts it, and stops when `signal` is aborted. */
  async *watch(content: AsyncIterable<Buffer>, signal: AbortSignal | undefined): AsyncIterable<Buffer> {
    for await (const chunk of content) {
      signal?.throwIfAborted();
      yield chunk;
      this.add(chunk.length);
    }
  }
}
