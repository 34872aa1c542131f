import { createHash, randomBytes } from 'node:crypto';
import { type BigIntStats, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { computeDigest } from './checksum.ts';

/** Smaller files are read faster than what is remembered of them, bytes. */
const rememberedFrom = 65_536;
/** A file that was changed as lately as this may change again without its times telling, milliseconds. */
const settled = 2_000;

/**
 * SHA-256 of files. Those of large files are remembered in `folder`, and hold as long as device, inode, size and both
 * times of the file are the same: the time of the inode's change can't be set by a program.
 */
export class FileDigests {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async digestOf(path: string): Promise<string> {
    const found = statSync(path, { bigint: true });
    if (found.size < rememberedFrom) return computeDigest(path, Number(found.size), 'sha256');
    const note = this.#toNote(path);
    const identity = identityOf(found);
    const [known, digest] = readNote(note);
    if (known === identity && digest !== undefined) return digest;
    const computed = await computeDigest(path, Number(found.size), 'sha256');
    const isSettled = Date.now() - Math.max(Number(found.mtimeMs), Number(found.ctimeMs)) > settled;
    if (isSettled && identityOf(statSync(path, { bigint: true })) === identity)
      writeNote(note, `${identity}\n${computed}`);
    return computed;
  }

  #toNote(path: string): string {
    const name = createHash('sha256').update(path).digest('hex');
    return join(this.#folder, name.slice(0, 2), name.slice(2, 34));
  }
}

function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function readNote(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** What can't be remembered is computed again. */
function writeNote(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const partial = `${path}.${randomBytes(4).toString('hex')}`;
    writeFileSync(partial, text);
    renameSync(partial, path);
  } catch {}
}
