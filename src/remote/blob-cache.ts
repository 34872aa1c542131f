import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#base/failure.ts';
import { parseDigest } from '#registry/digest.ts';
import { downloadFile } from '#registry/download.ts';
import type { Descriptor } from '#registry/manifest.ts';
import type { Registry } from '#registry/registry.ts';

/** Days after which an unfinished download is given up. */
const lifetime = 7;

/** How many layers come at once: the one that is being sent, and the next. */
const parallel = 2;

/** Bytes of one read. */
const chunkSize = 256 * 1024;

/**
 * Layers on their way through this machine: files in a folder that grow as the registry sends, and can be read while they
 * do. Their digests are checked. An unfinished one is gone on with by a later process.
 */
export class BlobCache {
  readonly #folder: string;
  readonly #registry: Registry;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #blobs = new Map<string, { path: string; arrival: Promise<void> }>();
  /** What each of the parallel downloads is busy with. */
  readonly #slots: Promise<void>[] = Array.from({ length: parallel }, () => Promise.resolve());

  constructor(folder: string, registry: Registry, signal: AbortSignal | undefined) {
    this.#folder = folder;
    this.#registry = registry;
    this.#signal = signal ? AbortSignal.any([signal, this.#end.signal]) : this.#end.signal;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#clean();
  }

  /** Begins to fetch them, in this order. */
  want(blobs: readonly Descriptor[]): void {
    for (const [index, blob] of blobs.filter(each => !this.#blobs.has(each.digest)).entries()) {
      const path = this.#take(blob.digest);
      const slot = index % parallel;
      const arrival = (this.#slots[slot] as Promise<void>).then(() => this.#fetch(blob, path));
      // Whoever reads it gets the error; the next one in its slot is fetched all the same.
      this.#slots[slot] = arrival.catch(() => {});
      this.#blobs.set(blob.digest, { path, arrival });
    }
  }

  /** The bytes from `offset` on, as they come. It ends only when all of them are known to be right. */
  async *read(blob: Descriptor, offset: number): AsyncIterable<Buffer> {
    const { path, arrival } = this.#find(blob);
    let isOver = false;
    arrival.then(
      () => (isOver = true),
      () => (isOver = true),
    );
    let file: FileHandle | undefined;
    try {
      for (let at = offset; at < blob.size; ) {
        file ??= await open(path, 'r').catch(() => undefined);
        const { bytesRead, buffer } = (await file?.read(Buffer.allocUnsafe(chunkSize), 0, chunkSize, at)) ?? nothing;
        if (bytesRead > 0) {
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        } else if (isOver) {
          break;
        } else {
          await sleep(20, undefined, { signal: this.#signal });
        }
      }
    } finally {
      await file?.close();
    }
    await arrival;
  }

  /** Fulfilled with true once the registry has sent it right, false where it could not. */
  async isWhole(blob: Descriptor): Promise<boolean> {
    return this.#find(blob).arrival.then(
      () => true,
      () => false,
    );
  }

  /** It is no longer needed here. */
  drop(blob: Descriptor): void {
    const { path } = this.#find(blob);
    this.#blobs.delete(blob.digest);
    rmSync(path, { force: true });
  }

  /** Ends what is under way; what has come stays for the next time. */
  async close(): Promise<void> {
    this.#end.abort();
    await Promise.allSettled([...this.#blobs.values()].map(each => each.arrival));
  }

  #find(blob: Descriptor): { path: string; arrival: Promise<void> } {
    const found = this.#blobs.get(blob.digest);
    if (!found) throw new Error(`${blob.digest} was not asked for`);
    return found;
  }

  async #fetch(blob: Descriptor, path: string): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      await downloadFile(this.#registry, blob, path, () => {}, this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      // What has a wrong digest must not be gone on with.
      rmSync(path, { force: true });
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      throw new Failure('image/disk-full', `there is no room on this machine for ${blob.size} bytes in ${path}`, {
        hint: 'Free some space there, or let the cluster pull by itself.',
        cause: error,
      });
    }
  }

  /** A file for this process alone: what a dead one left of this blob, or a new one. */
  #take(digest: string): string {
    const hex = parseDigest(digest) as string;
    const path = join(this.#folder, `${hex}.${process.pid}`);
    const left = this.#list().find(name => name.startsWith(`${hex}.`) && !isAlive(pidOf(name)));
    if (left !== undefined) {
      try {
        renameSync(join(this.#folder, left), path);
      } catch {
        // Another process was faster: then it begins anew.
      }
    }
    return path;
  }

  #clean(): void {
    for (const name of this.#list()) {
      const path = join(this.#folder, name);
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (!isAlive(pidOf(name)) && age > lifetime * 24 * 3600 * 1000) rmSync(path, { force: true });
    }
  }

  #list(): string[] {
    return readdirSync(this.#folder).filter(name => /^[0-9a-f]{64}\.\d+$/.test(name));
  }
}

const nothing = { bytesRead: 0, buffer: Buffer.alloc(0) };

function pidOf(name: string): number {
  return Number(name.split('.')[1]);
}

/** This process too: it has no file that it does not know of. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
