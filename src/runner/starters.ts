import type { Engine } from '#engine/sandbox.ts';
import type { Slot } from './slots.ts';
import { ownStarter, type Starter } from './spawn.ts';
import { Spawner } from './spawner.ts';

/**
 * Who starts the tasks of a run. Tasks that have no network leave it once for each slot, not each for itself, where the
 * engine knows how: of one slot there is one task at a time, so that none meets the servers of another on the loopback
 * device.
 */
export class Starters {
  readonly #program: string | undefined;
  readonly #usual: Starter;
  readonly #offline = new Map<Slot, Starter>();

  /** `program`: the kit's spawner; undefined: tasks are children of this process. */
  constructor(program: string | undefined) {
    this.#program = program;
    this.#usual = program === undefined ? ownStarter : new Spawner(program);
  }

  /** `isOffline` is for the engine's plan: what the starter starts has no network already. */
  choose(engine: Engine, network: boolean, slot: Slot): { starter: Starter; isOffline: boolean } {
    const front = engine.offlineFront;
    if (network || front === undefined || this.#program === undefined)
      return { starter: this.#usual, isOffline: false };
    const starter = this.#offline.get(slot) ?? new Spawner(this.#program, front);
    this.#offline.set(slot, starter);
    return { starter, isOffline: true };
  }

  /** The slot is not used any more. */
  async drop(slot: Slot): Promise<void> {
    await this.#offline.get(slot)?.close();
    this.#offline.delete(slot);
  }

  /** Ends all tasks that still run. */
  async close(): Promise<void> {
    await Promise.all([this.#usual, ...this.#offline.values()].map(starter => starter.close()));
  }
}
