import { Failure } from '#base/failure.ts';

/** A block of 512 bytes that begins a member (POSIX.1-2017 pax, ustar interchange format; GNU tar's `tar.h`). */
export interface Header {
  name: string;
  /** Type flag, a file in its old spellings as `0`. */
  type: string;
  /** Its type flag is that of before ustar, when a slash at the end of the name was what made a directory. */
  isOld: boolean;
  mode: number;
  size: number;
  mtime: number;
  link: string;
}

/** Undefined for a block of zeros. Throws a Failure `image/invalid-layer` where the checksum is wrong. */
export function parseHeader(block: Buffer): Header | undefined {
  let sum = 0;
  let signed = 0;
  for (let i = 0; i < 512; i++) {
    const byte = i >= 148 && i < 156 ? 32 : (block[i] as number);
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  if (sum === 256 && isZero(block)) return undefined;
  const stated = parseNumber(block, 148, 8);
  // Some old writers summed signed bytes.
  if (stated !== sum && stated !== signed) {
    throw new Failure('image/invalid-layer', 'an archive is broken: the checksum of a header is wrong');
  }
  const magic = block.toString('latin1', 257, 263);
  const isOld = block[156] === 0;
  const type = isOld ? '0' : String.fromCharCode(block[156] as number);
  const name = textAt(block, 0, 100);
  // GNU tar keeps times where ustar has its prefix.
  const prefix = magic === 'ustar\0' ? textAt(block, 345, 155) : '';
  return {
    name: prefix ? `${prefix}/${name}` : name,
    type: type === '7' ? '0' : type,
    isOld,
    mode: parseNumber(block, 100, 8) & 0o7777,
    size: parseSize(block, 124, 12),
    mtime: parseNumber(block, 136, 12),
    link: textAt(block, 157, 100),
  };
}

/**
 * The records of an extended header; the last one of a name wins, and an empty one leaves what the member's own header
 * says (POSIX.1-2017 pax, extended header). Sparse maps of format 0.0 become one of 0.1.
 */
export function parsePax(bytes: Buffer): Map<string, string> {
  const fields = new Map<string, string>();
  const sparse: string[] = [];
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const space = bytes.indexOf(32, at);
    const length = space < 0 || space - at > 10 ? Number.NaN : Number(bytes.toString('latin1', at, space));
    const end = at + length;
    const equals = bytes.indexOf(61, space);
    if (!(length > 3) || end > bytes.length || equals < 0 || equals >= end || bytes[end - 1] !== 10) {
      throw new Failure('image/invalid-layer', 'an archive is broken: an extended header makes no sense');
    }
    const key = bytes.toString('latin1', space + 1, equals);
    const value = bytes.toString('latin1', equals + 1, end - 1);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') sparse.push(value);
    else if (value === '') fields.delete(key);
    else fields.set(key, value);
    at = end;
  }
  if (sparse.length > 0) fields.set('GNU.sparse.map', sparse.join(','));
  return fields;
}

/** A whole number in decimal digits, as extended headers have them. */
export function parsePaxNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new Failure('image/invalid-layer', `an archive is broken: ${JSON.stringify(text.slice(0, 40))} is no size`);
}

/** A size or a place in a file; throws where it is negative or beyond what any file can have. */
export function parseSize(block: Buffer, at: number, length: number): number {
  const value = parseNumber(block, at, length);
  if (value >= 0 && Number.isSafeInteger(value)) return value;
  throw new Failure('image/invalid-layer', 'an archive is broken: a size is negative or beyond all measure');
}

/** Up to the first NUL, one character per byte. */
export function textOf(bytes: Buffer): string {
  return textAt(bytes, 0, bytes.length);
}

function textAt(block: Buffer, at: number, length: number): string {
  const nul = block.indexOf(0, at);
  return block.toString('latin1', at, nul < 0 || nul > at + length ? at + length : nul);
}

/** Octal digits, or base 256 where the first bit is set; NaN for anything else, 0 for nothing. */
function parseNumber(block: Buffer, at: number, length: number): number {
  const first = block[at] as number;
  if (first & 0x80) {
    // Two's complement; 0xff begins a negative number.
    let value = first & 0x40 ? (first & 0x7f) - 128 : first & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + (block[at + i] as number);
    return value;
  }
  let value = 0;
  let i = at;
  while (i < at + length && block[i] === 32) i++;
  for (; i < at + length; i++) {
    const byte = block[i] as number;
    if (byte === 0 || byte === 32) break;
    if (byte < 48 || byte > 55) return Number.NaN;
    value = value * 8 + (byte - 48);
  }
  return value;
}

function isZero(block: Buffer): boolean {
  for (let i = 0; i < 512; i++) if (block[i] !== 0) return false;
  return true;
}
