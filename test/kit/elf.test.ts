import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatKitContent, type KitPiece } from '#base/kit.ts';
import { refitProgram } from '../../scripts/kit/elf.ts';

/** A program with an interpreter, one segment with a string table, and a dynamic section with two spare entries. */
function makeProgram(spare: number): Buffer {
  const program = Buffer.alloc(0x1400);
  program.writeUInt32BE(0x7f454c46, 0);
  program[4] = 2;
  program[5] = 1;
  program.writeBigUInt64LE(64n, 32);
  program.writeBigUInt64LE(0x1300n, 40);
  program.writeUInt16LE(56, 54);
  program.writeUInt16LE(4, 56);
  program.writeUInt16LE(3, 60);
  const segments = [
    [3, 0x200, 0x400200, 12],
    [1, 0, 0x400000, 0x800],
    [1, 0x1000, 0x402000, 0x200],
    [2, 0x1000, 0x402000, 16 + 16 * spare],
  ] as const;
  segments.forEach(([type, offset, address, size], index) => {
    const at = 64 + 56 * index;
    program.writeUInt32LE(type, at);
    for (const [field, value] of [
      [8, offset],
      [16, address],
      [32, size],
      [40, size],
    ] as const) {
      program.writeBigUInt64LE(BigInt(value), at + field);
    }
  });
  program.write('/lib/ld.so.1\0', 0x200);
  program.writeBigUInt64LE(5n, 0x1000);
  program.writeBigUInt64LE(0x400300n, 0x1008);
  return program;
}

test('the path of the dynamic linker gets room at the end, and the rest of the file is gone', () => {
  const { program, interpreterOffset, interpreterLength } = refitProgram(makeProgram(2), '$ORIGIN/lib', 1024);
  assert.equal(interpreterOffset, 0x1200);
  assert.equal(program.length, interpreterOffset + interpreterLength);
  assert.equal(program.subarray(interpreterOffset, interpreterOffset + 13).toString(), '/lib/ld.so.1\0');
  assert.equal(program.readBigUInt64LE(64 + 8), BigInt(interpreterOffset));
  assert.equal(program.readBigUInt64LE(64 + 32), 1024n);
  // Where the linker finds its own old name in memory.
  assert.equal(program.readBigUInt64LE(64 + 16), 0x400200n);
  assert.deepEqual([program.readBigUInt64LE(40), program.readUInt16LE(60)], [0n, 0]);
});

test('the rpath is a string behind the segment of the string table, and an entry in the dynamic section', () => {
  const { program } = refitProgram(makeProgram(2), '$ORIGIN/lib', 1024);
  assert.equal(program.subarray(0x800, 0x80c).toString(), '$ORIGIN/lib\0');
  assert.equal(program.readBigUInt64LE(64 + 56 + 32), 0x80cn);
  assert.deepEqual([program.readBigUInt64LE(0x1010), program.readBigUInt64LE(0x1018)], [15n, 0x500n]);
  assert.equal(program.readBigUInt64LE(0x1020), 0n);
});

test('a program without room, or that is none, is refused', () => {
  assert.throws(() => refitProgram(makeProgram(1), '$ORIGIN/lib', 1024), /no spare entry/);
  assert.throws(() => refitProgram(Buffer.alloc(4096, 'x'), '$ORIGIN/lib', 1024), /not a 64-bit/);
  assert.throws(() => refitProgram(refitProgram(makeProgram(3), 'a', 64).program, 'b', 64), /DT_RPATH already/);
});

test('the digest of a kit is over its pieces in order of their paths', () => {
  const piece = (path: string, mode: number): KitPiece => ({ path, source: path, sha256: 'ab', size: 1, mode });
  assert.equal(
    formatKitContent([piece('helper.cjs', 0o644), piece('bin/proot', 0o755)]),
    '755 ab bin/proot\n644 ab helper.cjs\n',
  );
});
