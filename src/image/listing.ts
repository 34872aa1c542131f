import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Member } from './tar-reader.ts';

/** In the folder of an image: what later images need to take layers from it. */
export const layersName = 'layers';

/** Beside the listings: the data of files that the image's higher layers hide. */
export const hiddenName = 'hidden';

/** Where the data of a member is: in the rootfs under its own name, nowhere, or at this byte of the hidden data. */
export const places = { rootfs: -1, nowhere: -2 } as const;

/** A member of a layer as it came, and what became of its data. */
export interface ListedMember extends Member {
  place: number;
  /** Bytes of data, holes not counted. */
  bytes: number;
}

// Bytes that go to and from the disk at once.
const pieceSize = 1 << 16;

/**
 * Writes what a layer holds except for the data: all members in their order, each as a line of JSON in latin1, and an
 * empty one at the end.
 */
export class ListingWriter {
  /** Of the file. */
  bytes = 0;
  readonly #file: number;
  #text = '';

  constructor(path: string) {
    this.#file = openSync(path, 'wx');
  }

  add({ name, type, mode, mtime, link, size, isSparse }: Member, place: number, bytes: number): void {
    const facts = type === '0' ? [place, size, bytes, isSparse ? 1 : 0] : link === '' ? [] : [link];
    this.#text += `${JSON.stringify([name, type, mode, mtime, ...facts])}\n`;
    if (this.#text.length > pieceSize) this.#flush();
  }

  close(): void {
    this.#text += '[]\n';
    this.#flush();
    this.abandon();
  }

  /** Leaves what nobody will take for a listing. */
  abandon(): void {
    closeSync(this.#file);
  }

  #flush(): void {
    const data = Buffer.from(this.#text, 'latin1');
    for (let done = 0; done < data.length; ) done += writeSync(this.#file, data, done);
    this.bytes += data.length;
    this.#text = '';
  }
}

/** The members of a listing. Throws an error where it is not there, damaged or cut off. */
export function* readListing(path: string): Generator<ListedMember, void> {
  const file = openSync(path, 'r');
  try {
    const piece = Buffer.allocUnsafe(pieceSize);
    let text = '';
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece)) {
      const lines = (text + piece.toString('latin1', 0, count)).split('\n');
      text = lines.pop() as string;
      for (const line of lines) {
        if (line === '[]') return;
        yield toMember(JSON.parse(line) as Line);
      }
    }
    throw new Error(`${path} is cut off`);
  } finally {
    closeSync(file);
  }
}

type Line = [name: string, type: string, mode: number, mtime: number, ...facts: (number | string)[]];

function toMember([name, type, mode, mtime, ...facts]: Line): ListedMember {
  const common = { name, type, mode, mtime };
  if (type !== '0') {
    const [link = ''] = facts as string[];
    return { ...common, link, size: 0, isSparse: false, place: places.nowhere, bytes: 0 };
  }
  const [place = places.nowhere, size = 0, bytes = 0, isSparse] = facts as number[];
  return { ...common, link: '', size, isSparse: isSparse === 1, place, bytes };
}
