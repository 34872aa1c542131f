import { Failure } from '#base/failure.ts';
import { type Capacity, chooseDevices, chooseGrant, type Grant, isFree, type Wish } from '#scheduler/this-host.ts';

/** Lets tasks start in the order in which they ask, smaller ones ahead of one that has to wait for room. */
export class Gate {
  readonly #capacity: Capacity;
  readonly #running = new Set<Grant>();
  readonly #waiting = new Set<{ grant: Grant; open(): void; refuse(reason: unknown): void }>();
  readonly #signal: AbortSignal;

  constructor(capacity: Capacity, signal: AbortSignal) {
    this.#capacity = capacity;
    this.#signal = signal;
    signal.addEventListener('abort', () => {
      for (const entry of this.#waiting) entry.refuse(signal.reason);
      this.#waiting.clear();
    });
  }

  /**
   * What the task will get; throws a Failure `runner/resources` where this host is too small for it. A hint that can't be
   * satisfied is no reason to fail (CWL v1.2, Requirements and hints): it gets all there is.
   */
  grant(wish: Wish, options: { isHint: boolean }): Grant {
    const grant = chooseGrant(options.isHint ? lower(wish, this.#capacity) : wish, this.#capacity);
    if (typeof grant !== 'string') return grant;
    throw new Failure('runner/resources', grant, {
      hint: 'Run it on a larger host, or lower its ResourceRequirement (--cores and --ram say what may be used).',
    });
  }

  /** Resolves when there is room; the caller gives it back with the returned function. Rejects when the run is aborted. */
  async enter(grant: Grant): Promise<() => void> {
    this.#signal.throwIfAborted();
    if (!this.#take(grant)) await new Promise<void>((open, refuse) => this.#waiting.add({ grant, open, refuse }));
    return () => {
      this.#running.delete(grant);
      this.#admit();
    };
  }

  /** False where there is no room now. */
  #take(grant: Grant): boolean {
    if (!isFree(grant, this.#running, this.#capacity)) return false;
    const taken = chooseDevices(grant, this.#running);
    if (!taken) return false;
    grant.taken = taken;
    this.#running.add(grant);
    return true;
  }

  #admit(): void {
    if (this.#running.size >= this.#capacity.tasks) return;
    for (const entry of this.#waiting) {
      if (!this.#take(entry.grant)) continue;
      this.#waiting.delete(entry);
      entry.open();
      if (this.#running.size >= this.#capacity.tasks) return;
    }
  }
}

function lower(wish: Wish, capacity: Capacity): Wish {
  const limit = (span: { min: number; max: number }, most: number) => ({
    min: Math.min(span.min, most),
    max: span.max,
  });
  return { cores: limit(wish.cores, capacity.cores), ram: limit(wish.ram, capacity.ram) };
}
