import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { checkSpace, toDiskFailure } from './disk-failure.ts';
import { makeFolder } from './make-folder.ts';
import { type FreedSpace, removeTree } from './remove-tree.ts';
import { Temporaries } from './temporaries.ts';
import { unpackLayers } from './unpack.ts';

/** Days after which a rootfs that no run has asked for goes from a node. */
const lifetime = 14;

/**
 * Root file systems on a disk of this node alone, unpacked from the archives of a store that many nodes share: `HEX/root`.
 * Several processes may do so at once: the first that is ready gives its work the name.
 */
export class LocalDisk {
  readonly folder: string;
  readonly #images: string;
  #temporaries: Temporaries | undefined;

  /** Touches nothing yet. */
  constructor(folder: string) {
    this.folder = folder;
    this.#images = join(folder, 'rootfs');
  }

  /** Where the rootfs of the image with these 64 digits is or will be. */
  rootfsPath(hex: string): string {
    return join(this.#images, hex, 'root');
  }

  /** A new place for a rootfs that is made here; give it to {@link keep} or remove it. */
  draft(): string {
    const path = this.#open().make('rootfs');
    mkdirSync(path);
    return join(path, 'root');
  }

  /** Names a rootfs that was made at a place of {@link draft}. */
  keep(root: string, hex: string): void {
    const draft = join(root, '..');
    try {
      renameSync(draft, join(this.#images, hex));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      removeTree(draft);
    }
  }

  /** Unpacks the archive of an image unless that was done before. `bytes`: of the rootfs. */
  async unpack(
    archive: string,
    { hex, bytes }: { hex: string; bytes: number },
    options: { signal?: AbortSignal; onBytes?(bytes: number): void } = {},
  ): Promise<void> {
    const now = new Date();
    if (existsSync(this.rootfsPath(hex))) {
      utimesSync(join(this.#images, hex), now, now);
      return;
    }
    const temporaries = this.#open();
    temporaries.clean();
    this.#removeOld();
    const root = this.draft();
    try {
      checkSpace(this.folder, bytes);
      const slice = { path: archive, start: 0, length: statSync(archive).size };
      const layers = [{ name: archive, size: slice.length, open: async () => slice }];
      await unpackLayers(layers, root, { digest: `sha256:${hex}`, ...options });
      this.keep(root, hex);
    } catch (error) {
      const failure = toDiskFailure(error, this.folder);
      removeTree(join(root, '..'));
      throw failure;
    }
  }

  remove(hex: string, freed: FreedSpace): void {
    removeTree(join(this.#images, hex), freed);
  }

  /** Others can write beside it, as in /tmp: what is not this user's alone is not used. */
  #open(): Temporaries {
    if (this.#temporaries) return this.#temporaries;
    try {
      makeFolder(join(this.folder, '..'));
      if (!existsSync(this.folder)) mkdirSync(this.folder, { mode: 0o700 });
      const { uid, mode } = lstatSync(this.folder);
      if (uid !== process.getuid?.() || !lstatSync(this.folder).isDirectory()) throw notOwn(this.folder);
      if ((mode & 0o777) !== 0o700) chmodSync(this.folder, 0o700);
      makeFolder(this.#images);
      this.#temporaries = new Temporaries(join(this.folder, 'temporary'));
    } catch (error) {
      throw toDiskFailure(error, this.folder);
    }
    return this.#temporaries;
  }

  #removeOld(): void {
    for (const hex of readdirSync(this.#images)) {
      const path = join(this.#images, hex);
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > lifetime * 24 * 3600 * 1000) removeTree(path);
    }
  }
}

function notOwn(folder: string): Failure {
  return new Failure('image/not-own', `${folder} belongs to somebody else, and is not used`, {
    hint: 'Name another folder of a local disk with --local-disk, or ask whoever made it to remove it.',
  });
}
