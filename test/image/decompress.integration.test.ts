// Compressed data as the tools write it: in several members, streams or frames, and broken.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { decompress } from '#image/decompress.ts';
import { splitFrames } from '#image/zstd-frames.ts';
import { needPackages } from '../support/machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'cwl-decompress-'));
after(() => rmSync(folder, { recursive: true }));

const first = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 31) >> 5));
const second = Buffer.from('the second part\n'.repeat(40_000));
const both = Buffer.concat([first, second]);
const zstd = (data: Buffer) => zstdCompressSync(data, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const note = Buffer.concat([Buffer.from('5a2a4d1804000000', 'hex'), Buffer.from('note')]);
const emptyNote = Buffer.from('502a4d1800000000', 'hex');

function run(program: string, input: Buffer): Buffer {
  needPackages(program === 'xz' ? 'xz-utils' : program);
  return execFileSync(program, ['-c'], { input, maxBuffer: 1 << 26 });
}

async function read(data: Buffer): Promise<Buffer> {
  const path = join(folder, 'data');
  // Not at the beginning of its file, and with something behind it.
  writeFileSync(path, Buffer.concat([Buffer.alloc(512), data, Buffer.alloc(512, 'x')]));
  const chunks: Buffer[] = [];
  for await (const chunk of decompress({ path, start: 512, length: data.length })) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const whole: Record<string, () => Buffer[]> = {
  'gzip of two members': () => [gzipSync(first), gzipSync(second)],
  'gzip with zeros behind it': () => [gzipSync(both), Buffer.alloc(2000)],
  'zstd of two frames': () => [zstdCompressSync(first), zstdCompressSync(second)],
  'zstd with checksums': () => [zstd(first), zstd(second)],
  'zstd with skippable frames before, between and behind': () => [
    note,
    zstd(first),
    emptyNote,
    note,
    zstd(second),
    note,
  ],
  'zstd with empty frames': () => [zstd(Buffer.alloc(0)), zstd(both), zstd(Buffer.alloc(0))],
  'zstd with zeros behind it': () => [zstd(both), Buffer.alloc(2000)],
  'zstd of a frame for every hundred bytes': () =>
    Array.from({ length: Math.ceil(both.length / 100) }, (_, i) => zstd(both.subarray(100 * i, 100 * (i + 1)))),
  'xz of two streams': () => [run('xz', first), run('xz', second)],
  'bzip2 of two streams': () => [run('bzip2', first), run('bzip2', second)],
};

for (const [name, make] of Object.entries(whole)) {
  test(name, async () => assert.ok((await read(Buffer.concat(make()))).equals(both)));
}

test('zstd in pieces of one byte', async () => {
  const data = Buffer.concat([note, zstd(second), emptyNote, zstd(Buffer.alloc(0)), Buffer.alloc(7)]);
  const pieces: Buffer[] = [];
  const bytes = (async function* () {
    for (const byte of data) yield Buffer.from([byte]);
  })();
  for await (const piece of splitFrames(bytes)) pieces.push(piece);
  assert.ok(Buffer.concat(pieces).equals(data.subarray(0, -7)));
});

test('zstd blocks that repeat one byte', async () => {
  const zeros = Buffer.alloc(5 << 20);
  assert.ok((await read(Buffer.concat([zstd(zeros), zstd(second)]))).equals(Buffer.concat([zeros, second])));
});

const cut = (data: Buffer) => data.subarray(0, data.length - 6);
const broken: Record<string, () => Buffer[]> = {
  'gzip that is cut off': () => [cut(gzipSync(both))],
  'gzip whose second member is cut off': () => [gzipSync(first), cut(gzipSync(second))],
  'gzip with text behind it': () => [gzipSync(both), Buffer.from('something else')],
  'zstd that is cut off': () => [cut(zstd(both))],
  'zstd whose second frame is cut off': () => [zstd(first), cut(zstd(second))],
  'zstd whose skippable frame is cut off': () => [zstd(both), cut(note)],
  'zstd with text behind it': () => [zstd(both), Buffer.from('something else')],
  'zstd with text behind zeros': () => [zstd(both), Buffer.alloc(20), Buffer.from('something else')],
  'zstd with a wrong checksum': () => [cut(zstd(both)), Buffer.from('wrong!')],
  'xz that is cut off': () => [cut(run('xz', both))],
  'bzip2 that is cut off': () => [cut(run('bzip2', both))],
};

for (const [name, make] of Object.entries(broken)) {
  test(`${name} is refused`, async () => {
    await assert.rejects(read(Buffer.concat(make())), { code: 'image/invalid-layer' });
  });
}
