// A tar writer with control of every byte of every header, for archives that no tool would write.
import { Buffer } from 'node:buffer';

/** One header (POSIX.1-2017 ustar) and what follows it. Text fields are raw bytes where a Buffer is given. */
export interface Member {
  name: string | Buffer;
  /** Type flag: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` directory, `6` FIFO, ... */
  type?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  link?: string | Buffer;
  data?: string | Buffer;
  /** What the size field says, where that is not the length of `data`. */
  size?: number | bigint;
  device?: [number, number];
  /** Written as an extended header (type `x`) in front. */
  pax?: Record<string, string | Buffer>;
  /** Last change to the header, its checksum is made after it. */
  patch?(header: Buffer): void;
}

/** A layer under construction: members are written in the order given, so that odd orders can be exact. */
export class Layer {
  readonly #blocks: Buffer[] = [];

  add(member: Member): this {
    if (member.pax) this.add({ name: 'PaxHeaders/x', type: 'x', data: paxRecords(member.pax) });
    const data = Buffer.from(member.data ?? '');
    const header = Buffer.alloc(512);
    writeName(header, member.name);
    header.write(octal(member.mode ?? 0o644, 8), 100, 'latin1');
    writeNumber(header, 108, 8, member.uid ?? 0);
    writeNumber(header, 116, 8, member.gid ?? 0);
    writeNumber(header, 124, 12, member.size ?? data.length);
    writeNumber(header, 136, 12, member.mtime ?? 1_700_000_000);
    header.write(member.type ?? '0', 156, 'latin1');
    Buffer.from(member.link ?? '').copy(header, 157, 0, 100);
    header.write('ustar\x0000', 257, 'latin1');
    header.write(octal(member.device?.[0] ?? 0, 8), 329, 'latin1');
    header.write(octal(member.device?.[1] ?? 0, 8), 337, 'latin1');
    member.patch?.(header);
    header.fill(' ', 148, 156);
    let sum = 0;
    for (const byte of header) sum += byte;
    header.write(`${octal(sum, 7)}\0 `.slice(0, 8), 148, 'latin1');
    this.#blocks.push(header, data, Buffer.alloc((512 - (data.length % 512)) % 512));
    return this;
  }

  directory(name: string | Buffer, mode = 0o755, more: Partial<Member> = {}): this {
    return this.add({ name: Buffer.concat([Buffer.from(name), Buffer.from('/')]), type: '5', mode, ...more });
  }

  file(name: string | Buffer, data: string | Buffer = '', mode = 0o644, more: Partial<Member> = {}): this {
    return this.add({ name, data, mode, ...more });
  }

  symlink(name: string, target: string | Buffer, more: Partial<Member> = {}): this {
    return this.add({ name, type: '2', link: target, mode: 0o777, ...more });
  }

  hardlink(name: string, target: string, more: Partial<Member> = {}): this {
    return this.add({ name, type: '1', link: target, ...more });
  }

  /** Deletes `name` of the layers below (OCI image-spec v1.1, layer.md). */
  whiteout(name: string): this {
    const at = name.lastIndexOf('/') + 1;
    return this.file(`${name.slice(0, at)}.wh.${name.slice(at)}`, '', 0);
  }

  /** Hides what the layers below have in this directory. */
  opaque(directory: string): this {
    return this.file(`${directory}/.wh..wh..opq`, '', 0);
  }

  /** Bytes that are no member. */
  raw(bytes: Buffer): this {
    this.#blocks.push(bytes);
    return this;
  }

  /** The archive, with the two zero blocks at its end. */
  toBuffer(): Buffer {
    return Buffer.concat([...this.#blocks, Buffer.alloc(1024)]);
  }
}

/** Long names become the prefix and name of ustar, or a GNU long name must be given as a member of its own. */
function writeName(header: Buffer, name: string | Buffer): void {
  const bytes = Buffer.from(name);
  if (bytes.length <= 100) {
    bytes.copy(header, 0);
    return;
  }
  const slash = bytes.indexOf('/', bytes.length - 101);
  if (slash < 0 || slash > 155 || slash === bytes.length - 1) throw new Error(`name too long: ${bytes}`);
  bytes.copy(header, 345, 0, slash);
  bytes.copy(header, 0, slash + 1);
}

function writeNumber(header: Buffer, at: number, length: number, value: number | bigint): void {
  const big = BigInt(value);
  if (big >= 0n && big < 8n ** BigInt(length - 1)) {
    header.write(`${octal(Number(big), length)}\0`.slice(0, length), at, 'latin1');
    return;
  }
  // GNU base-256: the first bit says so, the rest is two's complement.
  let rest = BigInt.asUintN(length * 8, big);
  for (let i = length - 1; i >= 0; i--, rest >>= 8n) header[at + i] = Number(rest & 255n);
  header[at]! |= 0x80;
}

/** Octal digits that fill `length - 1` bytes. */
function octal(value: number, length: number): string {
  return value.toString(8).padStart(length - 1, '0');
}

export function paxRecords(fields: Record<string, string | Buffer>): Buffer {
  return Buffer.concat(
    Object.entries(fields).map(([key, value]) => {
      const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
      let length = body.length + 1;
      while (String(length).length + body.length !== length) length = String(length).length + body.length;
      return Buffer.concat([Buffer.from(String(length)), body]);
    }),
  );
}
