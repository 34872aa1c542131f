// Layers with bytes changed at random, most with checksums that are right again: each is unpacked or refused with a
// message of the image's, quickly, and nothing is left outside of its folder.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Layer } from '../support/tar.ts';
import { unpackAll } from './rootfs.ts';

const count = Number(process.env.BROKEN_LAYERS ?? 3000);
const seed = Number(process.env.RANDOM_SEED ?? 1);

test(`${count} images with changed bytes are unpacked or refused, from seed ${seed}`, async () => {
  const random = makeRandom(seed);
  let unpacked = 0;
  for (let i = 0; i < count; i++) {
    const layers = [makeLayer(), makeLayer()].map(layer => change(layer, random));
    const limits = { bytes: 1 << 20, entries: 1000 };
    try {
      await unpackAll(layers, { limits });
      unpacked++;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      // As an unprivileged user, the test can't read what it has unpacked.
      if (code !== 'EACCES') assert.match(code ?? message, /^image\/(invalid-layer|too-large)$/, `${i}: ${message}`);
    }
  }
  assert.ok(unpacked > count / 20, `only ${unpacked} are unpacked`);
});

function makeLayer(): Buffer {
  return new Layer()
    .directory('d')
    .file('d/a', 'hello')
    .symlink('s', 'd')
    .hardlink('h', 'd/a')
    .file('s/b', 'x'.repeat(700))
    .add({
      name: 'v',
      data: 'abc',
      pax: { 'GNU.sparse.map': '8,3', 'GNU.sparse.size': '16', 'GNU.sparse.name': 'v', mtime: '1.5', path: 'q' },
    })
    .add({
      name: 'w',
      data: Buffer.concat([Buffer.from('1\n8\n3\n'.padEnd(512, '\0')), Buffer.from('abc')]),
      pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '16' },
    })
    .add({ name: '././@LongLink', type: 'L', data: 'gnu\0' })
    .file('k', 'k')
    .whiteout('z')
    .opaque('d')
    .toBuffer();
}

const fields = [0, 100, 124, 125, 134, 136, 156, 157, 345, 386, 482];
const values = Buffer.from('01235679SxgKLV \0\n,./-=\x80\xff', 'latin1');

/** One to four changes: a byte anywhere, a byte of a header's field, or a block over another. */
function change(layer: Buffer, random: () => number): Buffer {
  for (let left = random() % 4; left >= 0; left--) {
    const at = random() % layer.length;
    const block = at - (at % 512);
    const value = values[random() % values.length] as number;
    const kind = random() % 4;
    if (kind === 0) layer[at] = random() % 256;
    else if (kind === 1) layer[at] = value;
    else if (kind === 2) layer[block + (fields[random() % fields.length] as number)] = value;
    else {
      const from = 512 * (random() % (layer.length / 512));
      layer.copyWithin(block, from, from + 512);
    }
  }
  if (random() % 8 === 0) return layer;
  for (let at = 0; at < layer.length; at += 512) {
    const header = layer.subarray(at, at + 512);
    if (header.toString('latin1', 257, 262) !== 'ustar') continue;
    header.fill(' ', 148, 156);
    const sum = header.reduce((all, byte) => all + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return layer;
}

/** Park and Miller's, so that a seed means the same everywhere. */
function makeRandom(start: number): () => number {
  let state = start;
  return () => {
    state = (state * 48271) % 2147483647;
    return state;
  };
}
