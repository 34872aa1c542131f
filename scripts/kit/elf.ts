// Changes an ELF program (64 bits, little-endian) without any tool but this: System V ABI, chapters 4 and 5.

const headerType = { load: 1, dynamic: 2, interpreter: 3 };
const tag = { null: 0n, stringTable: 5n, rpath: 15n };

interface Segment {
  /** Byte of the program header in the file. */
  at: number;
  type: number;
  offset: number;
  address: number;
  fileSize: number;
}

export interface Refitted {
  program: Buffer;
  /** Where the path of its dynamic linker stands, and how many bytes there are for it, the final NUL included. */
  interpreterOffset: number;
  interpreterLength: number;
}

/**
 * A copy of a dynamically linked program that looks for its libraries in `rpath` first, whose dynamic linker's path can
 * be written over in place, and that has lost what no run needs: symbols, debug information, section headers.
 *
 * The path of the linker moves to the end of the file, where there is room for `interpreterLength` bytes; the kernel
 * reads it from the file. Until it is written it is what it was. `rpath` is DT_RPATH, not DT_RUNPATH: it is also for the
 * libraries of libraries, and comes before LD_LIBRARY_PATH.
 */
export function refitProgram(original: Buffer, rpath: string, interpreterLength: number): Refitted {
  if (original.readUInt32BE(0) !== 0x7f454c46 || original[4] !== 2 || original[5] !== 1) {
    throw new Error('not a 64-bit little-endian ELF file');
  }
  const segments = readSegments(original);
  const end = Math.max(...segments.map(segment => segment.offset + segment.fileSize));
  const interpreterOffset = Math.ceil(end / 16) * 16;
  const program = Buffer.alloc(interpreterOffset + interpreterLength);
  original.copy(program, 0, 0, end);

  const interpreter = find(segments, headerType.interpreter);
  original.copy(program, interpreterOffset, interpreter.offset, interpreter.offset + interpreter.fileSize);
  program.writeBigUInt64LE(BigInt(interpreterOffset), interpreter.at + 8);
  program.writeBigUInt64LE(BigInt(interpreterLength), interpreter.at + 32);

  addRpath(program, segments, rpath);
  // e_shoff, e_shnum, e_shstrndx: there are no sections any more.
  program.writeBigUInt64LE(0n, 40);
  program.writeUInt16LE(0, 60);
  program.writeUInt16LE(0, 62);
  return { program, interpreterOffset, interpreterLength };
}

function readSegments(program: Buffer): Segment[] {
  const start = Number(program.readBigUInt64LE(32));
  const size = program.readUInt16LE(54);
  return Array.from({ length: program.readUInt16LE(56) }, (_, index) => {
    const at = start + index * size;
    const number = (offset: number) => Number(program.readBigUInt64LE(at + offset));
    return { at, type: program.readUInt32LE(at), offset: number(8), address: number(16), fileSize: number(32) };
  });
}

function find(segments: readonly Segment[], type: number): Segment {
  const found = segments.find(segment => segment.type === type);
  if (!found) throw new Error(`no program header of type ${type}: not a dynamically linked program`);
  return found;
}

/** The string goes behind the segment of the string table, in the rest of its last page; the entry into a spare one. */
function addRpath(program: Buffer, segments: readonly Segment[], rpath: string): void {
  const { offset, fileSize } = find(segments, headerType.dynamic);
  let free: number | undefined;
  let table: bigint | undefined;
  for (let at = offset; at + 32 <= offset + fileSize; at += 16) {
    const name = program.readBigUInt64LE(at);
    if (name === tag.stringTable) table = program.readBigUInt64LE(at + 8);
    if (name === tag.rpath) throw new Error('there is a DT_RPATH already');
    // The one after it stays as the end of the list.
    if (name === tag.null) {
      free = at;
      break;
    }
  }
  if (free === undefined || table === undefined) throw new Error('no spare entry in the dynamic section');
  const string = Buffer.from(`${rpath}\0`);
  const home = segments.find(
    each =>
      each.type === headerType.load && Number(table) >= each.address && Number(table) < each.address + each.fileSize,
  ) as Segment;
  const at = home.offset + home.fileSize;
  const isFree = program.subarray(at, at + string.length).every(byte => byte === 0);
  const isTaken = segments.some(
    each => each.offset > home.offset && each.offset < at + string.length && each.offset >= at,
  );
  if ((at % 4096) + string.length > 4096 || !isFree || isTaken) throw new Error('no room for the rpath');
  string.copy(program, at);
  for (const field of [32, 40]) program.writeBigUInt64LE(BigInt(home.fileSize + string.length), home.at + field);
  program.writeBigUInt64LE(tag.rpath, free);
  program.writeBigUInt64LE(BigInt(home.address + home.fileSize) - table, free + 8);
}
