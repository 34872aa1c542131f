import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TarReader } from '#image/tar-reader.ts';
import { Layer } from '../support/tar.ts';

/** What an archive holds, read in pieces of so many bytes: `name type mode data`. */
function read(archive: Buffer, size: number): string[] {
  const members: string[] = [];
  let line = '';
  const reader = new TarReader({
    begin({ name, type, mode, link }) {
      line = `${name} ${type} ${mode.toString(8)} ${link}`;
      if (type !== '0') members.push(line);
      return type === '0';
    },
    write(data, at) {
      line += `[${at}]${data.toString('latin1')}`;
    },
    end: () => void members.push(line.replace(/\[(\d+)\](?!$)/g, (_, at) => (at === '0' ? '[0]' : ''))),
  });
  for (let at = 0; at < archive.length; at += size) reader.push(archive.subarray(at, at + size));
  reader.finish();
  return members;
}

test('pieces of any size give the same', () => {
  const archive = new Layer()
    .directory('d', 0o700)
    .file('d/empty')
    .file('d/data', 'x'.repeat(1000), 0o600)
    .symlink('s', 'd/data')
    .add({ name: 'short', data: 'long', pax: { path: 'l'.repeat(300), mtime: '1.5' } })
    .add({ name: 'pax_global_header', type: 'g', data: '13 comment=x\n' })
    .add({ name: 'v7/', type: '\0' })
    .add({ name: 'contiguous', type: '7', data: 'c' })
    .toBuffer();
  const expected = [
    'd/ 5 700 ',
    'd/empty 0 644 ',
    `d/data 0 600 [0]${'x'.repeat(1000)}`,
    's 2 777 d/data',
    `${'l'.repeat(300)} 0 644 [0]long`,
    'v7/ 5 644 ',
    'contiguous 0 644 [0]c',
  ];
  for (const size of [1, 7, 511, 512, 513, 1000, archive.length])
    assert.deepEqual(read(archive, size), expected, `${size}`);
});

test('what stands behind the end is not read, and a missing end is no harm', () => {
  const whole = new Layer().file('a', 'x').toBuffer();
  const more = new Layer().file('b', 'y').toBuffer();
  assert.deepEqual(read(Buffer.concat([whole, more]), 512), ['a 0 644 [0]x']);
  assert.deepEqual(read(whole.subarray(0, 1024), 512), ['a 0 644 [0]x']);
  assert.throws(() => read(whole.subarray(0, 512), 512), { code: 'image/invalid-layer' });
});

test('sizes in base 256', () => {
  const base256 = (header: Buffer) => {
    header.fill(0, 124, 136);
    header[124] = 0x80;
    header[135] = 3;
  };
  assert.deepEqual(read(new Layer().add({ name: 'a', data: 'abc', patch: base256 }).toBuffer(), 512), [
    'a 0 644 [0]abc',
  ]);
});
