import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Failure } from '#base/failure.ts';
import type { Slice } from './decompress.ts';
import { followLink, parseMemberPath } from './member-path.ts';
import { parseHeader, parsePax, parsePaxNumber, textOf } from './tar-header.ts';

/** Where the files of an uncompressed tar lie in it, so that its layers can be read in any order without unpacking it. */
export class ArchiveIndex {
  readonly #path: string;
  readonly #files = new Map<string, Slice>();
  readonly #links = new Map<string, string>();

  constructor(path: string) {
    this.#path = path;
    const file = openSync(path, 'r');
    try {
      this.#scan(file);
    } finally {
      closeSync(file);
    }
  }

  /** A file by name, through the links that `docker save` makes where images share layers. */
  find(name: string): Slice | undefined {
    let at = parseMemberPath(name).parts.join('/');
    for (let links = 0; links < 40; links++) {
      const slice = this.#files.get(at);
      if (slice) return slice;
      const target = this.#links.get(at);
      if (target === undefined) return undefined;
      at = target;
    }
    return undefined;
  }

  /** Names of files, without links to them. */
  list(): string[] {
    return [...this.#files.keys()];
  }

  #scan(file: number): void {
    const block = Buffer.alloc(512);
    let pax = new Map<string, string>();
    let longName: string | undefined;
    let longLink: string | undefined;
    let zeroBlocks = 0;
    const end = fstatSync(file).size;
    for (let at = 0; readSync(file, block, 0, 512, at) === 512; ) {
      const header = parseHeader(block);
      if (!header) {
        if (++zeroBlocks === 2) return;
        at += 512;
        continue;
      }
      zeroBlocks = 0;
      const size = parsePaxNumber(pax.get('size')) ?? header.size;
      const data = at + 512;
      at = data + Math.ceil(size / 512) * 512;
      if (header.type === 'x' || header.type === 'L' || header.type === 'K') {
        const bytes = Buffer.alloc(Math.min(size, 1 << 20));
        readSync(file, bytes, 0, bytes.length, data);
        if (header.type === 'x') pax = parsePax(bytes);
        else if (header.type === 'L') longName = textOf(bytes);
        else longLink = textOf(bytes);
        continue;
      }
      // Global headers lie between a member's own headers and the member, or anywhere.
      if (header.type === 'g') continue;
      if (header.type === '0' && data + size > end) {
        throw new Failure('image/invalid-archive', `${this.#path} is cut off`, {
          hint: 'Make or copy the archive again.',
        });
      }
      this.#add(
        longName ?? pax.get('path') ?? header.name,
        header.type,
        longLink ?? pax.get('linkpath') ?? header.link,
        {
          path: this.#path,
          start: data,
          length: size,
        },
      );
      pax = new Map();
      longName = undefined;
      longLink = undefined;
      if (this.#files.size > 100_000) throw new Failure('image/invalid-archive', `${this.#path} holds too many files`);
    }
  }

  #add(name: string, type: string, link: string, slice: Slice): void {
    const { parts } = parseMemberPath(name);
    const path = parts.join('/');
    // The last member of a name counts.
    this.#files.delete(path);
    this.#links.delete(path);
    if (type === '0') this.#files.set(path, slice);
    else if (type === '2') this.#links.set(path, followLink(parts.slice(0, -1), link).join('/'));
    else if (type === '1') this.#links.set(path, parseMemberPath(link).parts.join('/'));
  }
}
