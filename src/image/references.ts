import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from './image-record.ts';
import { removeTree } from './remove-tree.ts';
import type { Store } from './store.ts';

/** A name of an image in the store. */
export interface StoredReference {
  reference: string;
  platform: string;
  digest: string;
  /** ISO 8601: when it was last asked for at its source. */
  time: string;
}

/** The names of a store's images, one small file each. */
export class References {
  readonly #store: Store;
  readonly #folder: string;

  constructor(store: Store, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  /** The digest that a name last meant, whether or not there is a rootfs of it. */
  findDigest(reference: string, platform: string): string | undefined {
    return readJson<StoredReference>(this.#pathOf(reference, platform))?.digest;
  }

  save(reference: string, platform: string, digest: string): void {
    const path = this.#store.temporaries.make('reference');
    const stored: StoredReference = { reference, platform, digest, time: new Date().toISOString() };
    writeFileSync(path, `${JSON.stringify(stored)}\n`);
    this.#store.publish(path, this.#pathOf(reference, platform));
  }

  /** Forgets a name; the image stays. */
  remove({ reference, platform }: StoredReference): void {
    removeTree(this.#pathOf(reference, platform));
  }

  /** All names, also of images that are not there. */
  list(): StoredReference[] {
    return readdirSync(this.#folder).flatMap(name => readJson<StoredReference>(join(this.#folder, name)) ?? []);
  }

  #pathOf(reference: string, platform: string): string {
    const name = createHash('sha256').update(`${platform} ${reference}`).digest('hex');
    return join(this.#folder, `${name}.json`);
  }
}
