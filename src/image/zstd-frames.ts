import { Failure } from '#base/failure.ts';

/**
 * Cuts zstd data at the ends of its frames, skippable ones too (RFC 8878, §3.1). Node's decoder stops at
 * the first frame that ends inside a piece it is given, but goes on where a piece begins with a frame; pzstd writes a
 * frame per block, `zstd:chunked` layers one per file. Zeros behind the last frame are passed over. Throws a Failure
 * `image/invalid-layer` for anything else there.
 */
export async function* splitFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const walker = new FrameWalker();
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of source) {
    const chunk = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    rest = Buffer.alloc(0);
    for (let at = 0; at < chunk.length; ) {
      const { end, isData } = walker.walk(chunk, at);
      if (isData && end > at) yield chunk.subarray(at, end);
      // Too few bytes to tell a frame from zeros.
      if (end === at) rest = chunk.subarray(at);
      at = end === at ? chunk.length : end;
    }
  }
  if (!walker.isBetween || rest.some(byte => byte !== 0)) throw broken('is cut off');
}

type State = 'magic' | 'skip-size' | 'skip' | 'descriptor' | 'header' | 'block' | 'content' | 'checksum' | 'zeros';

/** Knows where in a frame the data is, from the few bytes that say so. */
class FrameWalker {
  #state: State = 'magic';
  /** Bytes of the field that is being read, little-endian. */
  #value = 0;
  #read = 0;
  /** Bytes to pass over in the states without a value. */
  #left = 0;
  #hasChecksum = false;
  #isLast = false;

  /** No frame is unfinished. */
  get isBetween(): boolean {
    return this.#state === 'zeros' || this.#state === 'magic';
  }

  /** From `at` to the end of the chunk, or of the frame; `isData` where a decoder wants those bytes. */
  walk(chunk: Buffer, start: number): { end: number; isData: boolean } {
    let at = start;
    if (this.#state === 'magic' && chunk.length - at < 4) return { end: at, isData: true };
    while (at < chunk.length) {
      if (this.#state === 'zeros') {
        if (chunk.subarray(at).some(byte => byte !== 0)) throw broken('has something else behind it');
        return { end: chunk.length, isData: false };
      }
      if (
        this.#state === 'skip' ||
        this.#state === 'header' ||
        this.#state === 'content' ||
        this.#state === 'checksum'
      ) {
        const take = Math.min(this.#left, chunk.length - at);
        at += take;
        this.#left -= take;
        if (this.#left === 0 && this.#leave()) return { end: at, isData: true };
        continue;
      }
      this.#value += (chunk[at++] as number) * 256 ** this.#read++;
      if (this.#read < (widths[this.#state] as number)) continue;
      const value = this.#value;
      this.#value = 0;
      this.#read = 0;
      if (this.#state === 'magic' && value === 0) {
        this.#state = 'zeros';
        return { end: at, isData: false };
      }
      if (this.#enter(value)) return { end: at, isData: true };
    }
    return { end: at, isData: true };
  }

  /** True where the frame ends here. */
  #enter(value: number): boolean {
    switch (this.#state) {
      case 'magic':
        if (value === 0xfd2fb528) this.#state = 'descriptor';
        else if (value >= 0x184d2a50 && value <= 0x184d2a5f) this.#state = 'skip-size';
        else throw broken('has something else behind it');
        return false;
      case 'skip-size':
        return this.#pass('skip', value);
      case 'descriptor': {
        const isSingle = (value & 0x20) !== 0;
        this.#hasChecksum = (value & 4) !== 0;
        const dictionary = [0, 1, 2, 4][value & 3] as number;
        const size = [isSingle ? 1 : 0, 2, 4, 8][value >> 6] as number;
        return this.#pass('header', (isSingle ? 0 : 1) + dictionary + size);
      }
      default: {
        this.#isLast = (value & 1) !== 0;
        // A block that repeats one byte (type 1) stores that byte, whatever its size.
        return this.#pass('content', ((value >> 1) & 3) === 1 ? 1 : value >> 3);
      }
    }
  }

  #pass(state: State, bytes: number): boolean {
    this.#state = state;
    this.#left = bytes;
    return bytes === 0 && this.#leave();
  }

  #leave(): boolean {
    if (this.#state === 'header' || (this.#state === 'content' && !this.#isLast)) {
      this.#state = 'block';
      return false;
    }
    if (this.#state === 'content' && this.#hasChecksum) return this.#pass('checksum', 4);
    this.#state = 'magic';
    return true;
  }
}

/** Bytes of the fields that are read. */
const widths: Record<string, number> = { magic: 4, 'skip-size': 4, descriptor: 1, block: 3 };

function broken(reason: string): Failure {
  return new Failure('image/invalid-layer', `zstd data ${reason}`, { hint: 'Make or copy the archive again.' });
}
