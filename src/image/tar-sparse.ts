import { Failure } from '#base/failure.ts';
import { parsePaxNumber, parseSize } from './tar-header.ts';
import type { Member, MemberSink } from './tar-reader.ts';

/** A piece of a sparse file that is stored; the rest is holes. Bytes. */
export interface Extent {
  at: number;
  length: number;
}

/** From an old GNU header (type `S`), or from one of the blocks that continue its map. */
export function parseSparseHeader(block: Buffer, isContinued = false) {
  const extents: Extent[] = [];
  const [start, count, flag] = isContinued ? [0, 21, 504] : [386, 4, 482];
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0 || block[at + 12] === 0) break;
    extents.push({ at: parseSize(block, at, 12), length: parseSize(block, at + 12, 12) });
  }
  return { extents, isExtended: block[flag] !== 0, size: isContinued ? 0 : parseSize(block, 483, 12) };
}

/** Of format 0.1: `at,length,at,length`. */
export function parseSparseMap(text: string): Extent[] {
  const numbers = text === '' ? [] : text.split(',').map(each => parsePaxNumber(each) as number);
  if (numbers.length % 2 !== 0) throw broken('has half an entry in its map');
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    at: numbers[2 * i] as number,
    length: numbers[2 * i + 1] as number,
  }));
}

// A map of more bytes than this is an attack on the memory.
const mapLimit = 16 << 20;

/**
 * Takes the stored bytes of one sparse file and gives them to `sink` where they belong. Without `extents` the map
 * stands in front of the data (GNU format 1.0): lines of decimal numbers, padded to 512 bytes.
 */
export class SparseFile {
  readonly #sink: MemberSink;
  readonly #member: Member;
  #extents: Extent[] | undefined;
  #map = Buffer.alloc(0);
  #isWanted = false;
  #index = 0;
  #used = 0;

  constructor(sink: MemberSink, member: Member, extents: Extent[] | undefined) {
    this.#sink = sink;
    this.#member = member;
    if (extents) this.#begin(extents);
  }

  write(data: Buffer): void {
    const rest = this.#extents ? data : this.#readMap(data);
    const extents = this.#extents;
    if (!extents) return;
    for (let at = 0; at < rest.length; ) {
      const extent = extents[this.#index];
      if (!extent) throw broken('has more data than its map says');
      const take = Math.min(extent.length - this.#used, rest.length - at);
      if (this.#isWanted && take > 0) this.#sink.write(rest.subarray(at, at + take), extent.at + this.#used);
      this.#used += take;
      at += take;
      if (this.#used === extent.length) {
        this.#index++;
        this.#used = 0;
      }
    }
  }

  end(): void {
    const rest = this.#extents?.slice(this.#index).reduce((sum, each) => sum + each.length, -this.#used);
    if (rest !== 0) throw broken('has less data than its map says');
    if (this.#isWanted) this.#sink.end();
  }

  #begin(extents: Extent[]): void {
    let end = 0;
    for (const { at, length } of extents) {
      if (at < end) throw broken('has pieces out of order');
      end = at + length;
      if (end > this.#member.size) throw broken('has data behind its end');
    }
    this.#extents = extents;
    this.#isWanted = this.#sink.begin(this.#member);
  }

  /** What is left of `data` once the map is complete. */
  #readMap(data: Buffer): Buffer {
    if (this.#map.length > mapLimit) throw broken('has a map of more than 16 MiB');
    const bytes = Buffer.concat([this.#map, data]);
    this.#map = bytes;
    const numbers: number[] = [];
    let at = 0;
    let wanted = 1;
    while (numbers.length < wanted) {
      const end = bytes.indexOf(10, at);
      if (end < 0) return Buffer.alloc(0);
      numbers.push(parsePaxNumber(bytes.toString('latin1', at, end)) as number);
      wanted = 1 + 2 * (numbers[0] as number);
      at = end + 1;
    }
    const length = Math.ceil(at / 512) * 512;
    if (bytes.length < length) return Buffer.alloc(0);
    this.#begin(parseSparseMap(numbers.slice(1).join(',')));
    return bytes.subarray(length);
  }
}

function broken(reason: string): Failure {
  return new Failure('image/invalid-layer', `an archive is broken: a sparse file ${reason}`);
}
