import type * as vscode from 'vscode';

const slotsKey = 'cwl.secretSlots';

/** Passwords and passphrases that the user asked to keep, in the editor's secret storage. */
export class Secrets {
  readonly #storage: vscode.SecretStorage;
  readonly #memory: vscode.Memento;

  constructor(context: vscode.ExtensionContext) {
    this.#storage = context.secrets;
    this.#memory = context.globalState;
  }

  async find(slot: string): Promise<string | undefined> {
    return this.#storage.get(slot);
  }

  async keep(slot: string, secret: string): Promise<void> {
    await this.#storage.store(slot, secret);
    // The storage can't list what it holds.
    await this.#memory.update(slotsKey, [...new Set([...this.#slots(), slot])]);
  }

  async forget(slot: string): Promise<void> {
    await this.#storage.delete(slot);
    await this.#memory.update(
      slotsKey,
      this.#slots().filter(each => each !== slot),
    );
  }

  /** How many secrets of slots that begin with `prefix` were deleted. */
  async forgetAll(prefix: string): Promise<number> {
    const slots = this.#slots().filter(slot => slot.startsWith(prefix));
    for (const slot of slots) await this.forget(slot);
    return slots.length;
  }

  #slots(): string[] {
    return this.#memory.get<string[]>(slotsKey, []);
  }
}
