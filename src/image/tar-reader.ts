import { Failure } from '#base/failure.ts';
import { type Header, parseHeader, parsePax, parsePaxNumber, textOf } from './tar-header.ts';
import { type Extent, parseSparseHeader, parseSparseMap, SparseFile } from './tar-sparse.ts';

/**
 * One member of an archive. Names are bytes, kept as latin1 text (one character per byte), because they need not be
 * UTF-8; they are as hostile as the archive.
 */
export interface Member {
  name: string;
  /** Type flag of ustar, old spellings made equal: `0` file, `1` hard link, `2` symbolic link, `5` directory, ... */
  type: string;
  mode: number;
  /** Seconds since 1970, never before it nor beyond 2262. */
  mtime: number;
  link: string;
  /** Bytes of the file as it is on disk, holes included. */
  size: number;
  /** Some of those bytes are holes and are not written. */
  isSparse: boolean;
  /** A file with the same data, mode and time that it may be a hard link of, and the bytes of its data without holes. */
  existing?: { path: string | Buffer; bytes: number };
}

/** Told of each member in turn. */
export interface MemberSink {
  /** True if the data is wanted. */
  begin(member: Member): boolean;
  /** A piece of the data, only valid during the call. `at` is its place in the file. */
  write(data: Buffer, at: number): void;
  /** The member that was wanted is complete. */
  end(): void;
}

interface UnfinishedSparse {
  member: Member;
  extents: Extent[];
  stored: number;
}

// Longer names and extended headers than this are an attack on the memory.
const extensionLimit = 1 << 20;
// 2^63 ns after 1970.
const latestTime = 9_223_372_036;

/**
 * Reads a tar that arrives in pieces: ustar, pax (POSIX.1-2017), GNU long names and sparse files, old v7, numbers in
 * base 256. Throws a Failure `image/invalid-layer`. Synchronous, and no copies of the data.
 */
export class TarReader {
  readonly #sink: MemberSink;
  /** A block that came in two pieces. */
  readonly #block = Buffer.allocUnsafe(512);
  #filled = 0;
  #state: 'header' | 'data' | 'skip' | 'extension' | 'sparse' | 'sparse-header' | 'end' = 'header';
  /** Bytes of the current member that are still to come, and of the padding behind it. */
  #left = 0;
  #padding = 0;
  #position = 0;
  #zeroBlocks = 0;
  #extension: Buffer[] = [];
  #extensionType = '';
  #pax = new Map<string, string>();
  #longName: string | undefined;
  #longLink: string | undefined;
  #sparse: SparseFile | undefined;
  /** An old GNU sparse file whose map goes on in further blocks. */
  #unfinished: UnfinishedSparse | undefined;

  constructor(sink: MemberSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#state !== 'end') {
      if (this.#left > 0) {
        const take = Math.min(this.#left, chunk.length - at);
        this.#take(take === chunk.length ? chunk : chunk.subarray(at, at + take));
        at += take;
        this.#left -= take;
        if (this.#left === 0) this.#finish();
      } else if (this.#padding > 0) {
        const take = Math.min(this.#padding, chunk.length - at);
        at += take;
        this.#padding -= take;
      } else if (this.#filled === 0 && chunk.length - at >= 512) {
        this.#read(chunk.subarray(at, at + 512));
        at += 512;
      } else {
        const take = Math.min(512 - this.#filled, chunk.length - at);
        chunk.copy(this.#block, this.#filled, at, at + take);
        at += take;
        this.#filled = (this.#filled + take) % 512;
        if (this.#filled === 0) this.#read(this.#block);
      }
    }
  }

  /** The archive is complete: one without its zero blocks is read as tar reads it, but not one cut off in a member. */
  finish(): void {
    if (this.#state === 'end' || (this.#state === 'header' && this.#filled === 0)) return;
    throw broken('it ends in the middle of a member');
  }

  #read(block: Buffer): void {
    if (this.#state === 'sparse-header') {
      this.#readSparseHeader(block);
      return;
    }
    const header = parseHeader(block);
    if (!header) {
      if (++this.#zeroBlocks === 2) this.#state = 'end';
      return;
    }
    this.#zeroBlocks = 0;
    if (header.type === 'x' || header.type === 'g' || header.type === 'L' || header.type === 'K') {
      if (header.size > extensionLimit) throw broken('an extended header is larger than 1 MiB');
      this.#extension = [];
      this.#extensionType = header.type;
      this.#enter('extension', header.size);
    } else {
      this.#start(header, block);
      this.#pax = new Map();
      this.#longName = undefined;
      this.#longLink = undefined;
    }
  }

  #start(header: Header, block: Buffer): void {
    const pax = this.#pax;
    // Of two long names the one of GNU counts, as in Go, which all container engines are written in.
    const name = pax.get('GNU.sparse.name') ?? this.#longName ?? pax.get('path') ?? header.name;
    const size = parsePaxNumber(pax.get('size')) ?? header.size;
    const member: Member = {
      name,
      type: header.isOld && name.endsWith('/') ? '5' : header.type,
      mode: header.mode,
      mtime: boundTime(pax.has('mtime') ? Number.parseFloat(pax.get('mtime') as string) : header.mtime),
      link: this.#longLink ?? pax.get('linkpath') ?? header.link,
      size,
      isSparse: false,
    };
    // Links, devices, directories and FIFOs have no data, whatever their size says; unknown types are read as files.
    const stored = member.type >= '1' && member.type <= '6' ? 0 : size;
    const map = pax.get('GNU.sparse.map');
    if (member.type === 'S') {
      const { extents, isExtended, size: whole } = parseSparseHeader(block);
      Object.assign(member, { type: '0', size: whole, isSparse: true });
      this.#unfinished = { member, extents, stored };
      if (isExtended) this.#state = 'sparse-header';
      else this.#startSparse(member, extents, stored);
    } else if (member.type === '0' && pax.get('GNU.sparse.major') === '1') {
      member.size = parsePaxNumber(pax.get('GNU.sparse.realsize')) ?? size;
      this.#startSparse(member, undefined, stored);
    } else if (member.type === '0' && map !== undefined) {
      member.size = parsePaxNumber(pax.get('GNU.sparse.size')) ?? size;
      this.#startSparse(member, parseSparseMap(map), stored);
    } else {
      this.#position = 0;
      this.#enter(this.#sink.begin(member) ? 'data' : 'skip', stored);
    }
  }

  #startSparse(member: Member, extents: Extent[] | undefined, stored: number): void {
    member.isSparse = true;
    this.#unfinished = undefined;
    this.#sparse = new SparseFile(this.#sink, member, extents);
    this.#enter('sparse', stored);
  }

  #readSparseHeader(block: Buffer): void {
    const { member, extents, stored } = this.#unfinished as UnfinishedSparse;
    const more = parseSparseHeader(block, true);
    if (extents.length > 1 << 20) throw broken('a sparse file has more than a million pieces');
    extents.push(...more.extents);
    if (!more.isExtended) this.#startSparse(member, extents, stored);
  }

  #enter(state: 'data' | 'skip' | 'extension' | 'sparse', bytes: number): void {
    this.#state = state;
    this.#left = bytes;
    this.#padding = (512 - (bytes % 512)) % 512;
    if (bytes === 0) this.#finish();
  }

  #take(data: Buffer): void {
    if (this.#state === 'data') {
      this.#sink.write(data, this.#position);
      this.#position += data.length;
    } else if (this.#state === 'sparse') this.#sparse?.write(data);
    else if (this.#state === 'extension') this.#extension.push(Buffer.from(data));
  }

  #finish(): void {
    const state = this.#state;
    this.#state = 'header';
    if (state === 'data') this.#sink.end();
    else if (state === 'sparse') this.#sparse?.end();
    else if (state === 'extension') this.#extend(Buffer.concat(this.#extension));
  }

  #extend(bytes: Buffer): void {
    if (this.#extensionType === 'L') this.#longName = textOf(bytes);
    else if (this.#extensionType === 'K') this.#longLink = textOf(bytes);
    // Global headers (type g) hold comments; their other fields are ignored, as Go's archive/tar does.
    else if (this.#extensionType === 'x') this.#pax = parsePax(bytes);
  }
}

/** What no file system or no system call takes becomes 0, as Docker has it (moby, pkg/system). */
function boundTime(seconds: number): number {
  return seconds >= 0 && seconds <= latestTime ? seconds : 0;
}

function broken(reason: string): Failure {
  return new Failure('image/invalid-layer', `an archive is broken: ${reason}`);
}
