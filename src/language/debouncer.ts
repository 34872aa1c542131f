// Both ends of this room's life, Node and a worker of a browser, have these.
declare function setTimeout(run: () => void, milliseconds: number): unknown;
declare function clearTimeout(timer: unknown): void;

/** Runs something for a key once nothing has asked for it again for a while. */
export class Debouncer {
  readonly #timers = new Map<string, unknown>();
  readonly #delay: number;

  /** Milliseconds. */
  constructor(delay: number) {
    this.#delay = delay;
  }

  run(key: string, action: () => void): void {
    this.cancel(key);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      action();
    }, this.#delay);
    this.#timers.set(key, timer);
  }

  cancel(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }
}
