/** Keeps what was fetched last, up to a number of bytes. */
export class ByteCache {
  readonly #limit: number;
  readonly #entries = new Map<string, Uint8Array>();
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  find(key: string): Uint8Array | undefined {
    const bytes = this.#entries.get(key);
    if (!bytes) return undefined;
    // A map keeps the order of insertion: what was asked for last is dropped last.
    this.#entries.delete(key);
    this.#entries.set(key, bytes);
    return bytes;
  }

  /** What is larger than a quarter of all is not kept: it would drive everything else out. */
  keep(key: string, bytes: Uint8Array): void {
    if (bytes.length > this.#limit / 4) return;
    this.#drop(key);
    this.#entries.set(key, bytes);
    this.#size += bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#limit) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#size -= this.#entries.get(key)?.length ?? 0;
    this.#entries.delete(key);
  }
}
