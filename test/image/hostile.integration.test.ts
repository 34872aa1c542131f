// Archives that no honest tool would write, loaded by an unprivileged user: nothing is ever written outside the rootfs,
// and what can't be kept is said.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, type ImageRecipe, writeLayout } from '../support/images.ts';
import { findUser, isRoot } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { readTree, unpackAll } from './rootfs.ts';

const skip = isRoot ? undefined : 'making files of another user needs root';
let helper: InstalledHelper;
let count = 0;

before(async () => {
  if (!skip) helper = await installHelper(findUser());
});
after(() => helper?.remove());

interface Loaded {
  code: number | null;
  stderr: string;
  /** Of the whole folder that the user may write to, what is not in the store. */
  outside: string[];
  tree: Record<string, string>;
  store: string;
}

/** Loads an image made of the layers; the canary beside the store is what they try to change. */
async function load(layers: (Layer | Buffer)[], recipe: Partial<ImageRecipe> = {}): Promise<Loaded> {
  const folder = join(helper.folder, `case${count++}`);
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  writeFileSync(join(folder, 'canary'), 'alive');
  chmodSync(join(folder, 'canary'), 0o666);
  writeLayout(join(folder, 'layout'), { latest: buildImage({ layers, ...recipe }) });
  const store = join(folder, 'store');
  const result = await helper.run(['image', 'load', join(folder, 'layout'), '--image-store', store, '--json']);
  assert.equal(readFileSync(join(folder, 'canary'), 'utf8'), 'alive');
  const outside = readdirSync(folder).filter(name => !['canary', 'layout', 'store'].includes(name));
  const root = result.code === 0 ? (JSON.parse(result.stdout)[0].rootfs as string) : undefined;
  if (result.code !== 0) assert.deepEqual(listLeftovers(store), [], 'a failure leaves nothing half-made');
  return { code: result.code, stderr: result.stderr, outside, store, tree: root ? readTree(root) : {} };
}

function listLeftovers(store: string): string[] {
  return ['temporary', 'rootfs/v1', 'references', 'blobs/sha256'].flatMap(name => readdirSync(join(store, name)));
}

/** `..` often enough to come out at the host's root from any rootfs, then `path`. */
const climb = (path: string) => `${'../'.repeat(20)}${path}`;

test('names that climb out or are absolute stay inside', { skip }, async () => {
  const target = join(helper.folder, 'escaped');
  const loaded = await load([
    new Layer()
      .file('../../../../escaped', 'x')
      .file(climb('escaped-far'), 'x')
      .file(`${target}/absolute`, 'x')
      .file('a/../../b', 'x'),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(loaded.outside, []);
  assert.ok(!existsSync(target) && !existsSync('/escaped-far'));
  assert.equal(loaded.tree.escaped, 'file 644 x');
  assert.equal(loaded.tree[`${target.slice(1)}/absolute`], 'file 644 x');
  assert.equal(loaded.tree.b, 'file 644 x');
  assert.match(loaded.stderr, /4 names began with \/ or held \.\./);
});

test('nothing is written through symbolic links', { skip }, async () => {
  const folder = helper.folder;
  const loaded = await load([
    new Layer()
      .symlink('abs', folder)
      .file('abs/through', 'x')
      .symlink('up', climb(folder.slice(1)))
      .file('up/through-up', 'x')
      .symlink('one', 'two')
      .symlink('two', '/')
      .file('one/chain', 'x')
      .symlink('file', '../../../../canary')
      .file('file', 'replaced'),
    new Layer().symlink('late', folder),
    new Layer().file('late/through-late', 'x').whiteout('late/canary'),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
  for (const name of ['through', 'through-up', 'through-late', 'chain'])
    assert.ok(!existsSync(join(folder, name)), name);
  assert.equal(loaded.tree.file, 'file 644 replaced');
  assert.equal(loaded.tree.chain, 'file 644 x');
  assert.equal(loaded.tree[`${folder.slice(1)}/through`], 'file 644 x');
});

test('hard links to the host are refused', { skip }, async () => {
  for (const target of ['/etc/passwd', climb('etc/passwd'), 'link/passwd']) {
    const loaded = await load([new Layer().symlink('link', '/etc').hardlink('stolen', target)]);
    assert.equal(loaded.code, 1);
    assert.match(loaded.stderr, /stolen is a hard link to .*passwd, which is no file of the image/);
  }
});

test('hard links to the root are refused', { skip }, async () => {
  for (const target of ['', '/', '.', '..', 'd/..']) {
    for (const layer of [new Layer().hardlink('h', target), new Layer().file('h', 'x').hardlink('h', target)]) {
      const loaded = await load([new Layer().directory('d'), layer]);
      assert.equal(loaded.code, 1, target);
      assert.match(loaded.stderr, /h is a hard link to .*, which is no file of the image/);
    }
  }
});

test('whiteouts remove nothing outside', { skip }, async () => {
  for (const name of ['.wh...', '.wh..', '.wh.', 'a/.wh...']) {
    const loaded = await load([new Layer().directory('a').file(name)]);
    assert.equal(loaded.code, 1, name);
    assert.match(loaded.stderr, /deletes no name/);
  }
  const loaded = await load([
    new Layer().symlink('s', '../../../..'),
    new Layer().file('s/.wh.canary').file('s/.wh..wh..opq'),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
});

test('links that go round in circles end in one message', { skip }, async () => {
  const loaded = await load([new Layer().symlink('a', 'b').symlink('b', 'a').file('a/x', 'x')]);
  assert.equal(loaded.code, 1);
  assert.match(loaded.stderr, /a goes round in a circle of symbolic links/);
});

test('devices are left out, FIFOs are made, set-id bits are dropped, and all that is said', { skip }, async () => {
  const loaded = await load([
    new Layer()
      .directory('dev')
      .add({ name: 'dev/sda', type: '4', device: [8, 0] })
      .add({ name: 'null', type: '3', device: [1, 3] })
      .add({ name: 'pipe', type: '6', mode: 0o640 })
      .add({ name: 'odd', type: 'V', data: 'volume' })
      .file('su', 'x', 0o6755)
      .directory('shared', 0o2775),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(loaded.tree, { pipe: 'fifo 640', su: 'file 755 x', shared: 'directory 775' });
  assert.match(loaded.stderr, /2 device files were left out/);
  assert.match(loaded.stderr, /2 set-user-id or set-group-id bits were dropped/);
});

test('modes that shut their owner out are kept, and the space can be had back', { skip }, async () => {
  const loaded = await load([
    new Layer()
      .directory('ro', 0o555)
      .file('ro/inside', 'x', 0o444)
      .directory('ro/none', 0)
      .file('ro/none/secret', 'x', 0)
      .directory('blind', 0o311)
      .file('blind/x', 'x')
      .file('shadow', 'x', 0)
      .file('wide', 'x', 0o666),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(loaded.tree, {
    blind: 'directory 311',
    'blind/x': 'file 644 x',
    ro: 'directory 555',
    'ro/inside': 'file 444 x',
    'ro/none': 'directory 0',
    'ro/none/secret': 'file 0 x',
    shadow: 'file 0 x',
    wide: 'file 666 x',
  });
  const listed = JSON.parse((await helper.run(['image', 'list', '--json', '--image-store', loaded.store])).stdout);
  const removed = await helper.run(['image', 'remove', listed[0].digest, '--image-store', loaded.store]);
  assert.equal(removed.code, 0, removed.stderr);
  assert.deepEqual(listLeftovers(loaded.store), []);
});

test('names are bytes: not UTF-8, with line feeds, as long as they may be', { skip }, async () => {
  const long = 'n'.repeat(255);
  const deep = Array.from({ length: 30 }, (_, i) => `${i}-${'d'.repeat(60)}`).join('/');
  const loaded = await load([
    new Layer()
      .file(Buffer.from([0x66, 0xff, 0xfe]), 'latin')
      .file('line\nfeed', 'x')
      .add({ name: 'short', data: 'x', pax: { path: long } })
      .add({ name: 'short', data: 'deep', pax: { path: `${deep}/file` } })
      .add({ name: '././@LongLink', type: 'L', data: `gnu-${'g'.repeat(200)}\0` })
      .add({ name: 'short', data: 'gnu' })
      .add({ name: '././@LongLink', type: 'K', data: `${'t'.repeat(150)}\0` })
      .add({ name: 'sym', type: '2', link: 'short' }),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.equal(loaded.tree['f\xff\xfe'], 'file 644 latin');
  assert.equal(loaded.tree['line\nfeed'], 'file 644 x');
  assert.equal(loaded.tree[long], 'file 644 x');
  assert.equal(loaded.tree[`${deep}/file`], 'file 644 deep');
  assert.equal(loaded.tree[`gnu-${'g'.repeat(200)}`], 'file 644 gnu');
  assert.equal(loaded.tree.sym, `link ${'t'.repeat(150)}`);
});

test('what no file system can hold ends in one message', { skip }, async () => {
  const cases: [Layer, RegExp][] = [
    [new Layer().add({ name: 'x', pax: { path: 'n'.repeat(256) } }), /what this file system can't: ENAMETOOLONG/],
    [new Layer().add({ name: 'x', pax: { path: 'd/'.repeat(3000) } }), /a name has 6000 bytes/],
    [new Layer().add({ name: 'x', pax: { path: 'a\0b' } }), /NUL/],
    [new Layer().add({ name: 'x', size: -1 }), /a size is negative/],
    [new Layer().add({ name: 'x', size: 2n ** 70n }), /a size is negative or beyond/],
    [new Layer().add({ name: 'x', size: 2 ** 40 }), /ends in the middle of a member/],
    [new Layer().add({ name: 'x', type: 'x', data: '99 path=x\n' }), /extended header makes no sense/],
    [new Layer().add({ name: 'x', type: 'L', size: 2 ** 33 }), /larger than 1 MiB/],
    [new Layer().raw(Buffer.alloc(512, 'x')), /checksum/],
    [new Layer().add({ name: 's', type: '2', pax: { linkpath: 'a\0b' } }), /s is a symbolic link to a name with a NUL/],
    [new Layer().add({ name: 's', type: '2', pax: { linkpath: 'x'.repeat(4096) } }), /a name of 4096 bytes/],
    [new Layer().add({ name: 'h', type: '1', pax: { linkpath: 'a\0b' } }), /NUL/],
    [new Layer().add({ name: 'x', pax: { size: '-1' } }), /"-1" is no size/],
    [new Layer().add({ name: 'x', pax: { size: '1e3' } }), /"1e3" is no size/],
    [new Layer().add({ name: 'x', pax: { path: 'p'.repeat(1 << 20) } }), /larger than 1 MiB/],
    [
      new Layer().add({ name: 'x', pax: { 'GNU.sparse.map': '0,0', 'GNU.sparse.size': `${Number.MAX_SAFE_INTEGER}` } }),
      /what this file system can't: EFBIG/,
    ],
    [new Layer().file('f', 'x').file('f/below', 'x'), /f is used as a directory and is none/],
  ];
  for (const [layer, message] of cases) {
    const loaded = await load([layer]);
    assert.equal(loaded.code, 1, String(message));
    assert.match(loaded.stderr, message);
    assert.doesNotMatch(loaded.stderr, /fault in the helper/);
  }
});

test('sparse files of all four formats', { skip }, async () => {
  const old = (header: Buffer) => {
    header.write('ustar  \0', 257, 'latin1');
    header.write(`${(8).toString(8).padStart(11, '0')}\0${(3).toString(8).padStart(11, '0')}\0`, 386, 'latin1');
    header.write(`${(16).toString(8).padStart(11, '0')}\0`, 483, 'latin1');
  };
  const map = Buffer.alloc(512);
  map.write('1\n8\n3\n');
  const loaded = await load([
    new Layer()
      .add({ name: 'old', type: 'S', data: 'abc', patch: old })
      .add({
        name: 'v01',
        data: 'abc',
        pax: { 'GNU.sparse.map': '8,3', 'GNU.sparse.size': '16', 'GNU.sparse.name': 'v01' },
      })
      .add({
        name: 'x',
        data: Buffer.concat([map, Buffer.from('abc')]),
        pax: {
          'GNU.sparse.major': '1',
          'GNU.sparse.minor': '0',
          'GNU.sparse.name': 'v10',
          'GNU.sparse.realsize': '16',
        },
      })
      .add({
        name: 'huge',
        data: 'abc',
        pax: { 'GNU.sparse.map': `${2 ** 40},3`, 'GNU.sparse.size': `${2 ** 40 + 3}` },
      })
      .file('after', 'x'),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
  const holes = `file 644 ${'\0'.repeat(8)}abc${'\0'.repeat(5)}`;
  assert.deepEqual(loaded.tree, {
    old: holes,
    v01: holes,
    v10: holes,
    huge: 'file 644, 1099511627779 bytes, mostly holes',
    after: 'file 644 x',
  });
});

test('data that is cut off or damaged is refused', { skip }, async () => {
  const whole = new Layer().file('a', 'x'.repeat(100_000)).toBuffer();
  const zipped = gzipSync(whole);
  const cases: [Buffer, RegExp][] = [
    [zipped.subarray(0, zipped.length / 2), /gzip data is broken or cut off/],
    [whole.subarray(0, 50_000), /ends in the middle of a member/],
    [Buffer.concat([zipped.subarray(0, 30), Buffer.alloc(100, 7)]), /gzip data is broken/],
  ];
  for (const [bytes, message] of cases) {
    const loaded = await load([bytes], { compression: 'none' });
    assert.equal(loaded.code, 1);
    assert.match(loaded.stderr, message);
  }
  const other = await load([whole], { diffIds: [`sha256:${'0'.repeat(64)}`] });
  assert.equal(other.code, 1);
  assert.match(other.stderr, /the unpacked layer .* has the digest/);
});

test('a zip bomb is stopped', async () => {
  const bomb = gzipSync(new Layer().file('zeros', Buffer.alloc(64 << 20)).toBuffer(), { level: 9 });
  const limits = { bytes: 1 << 20, ratio: 100 };
  await assert.rejects(unpackAll([bomb], { limits }), { code: 'image/too-large' });
  const many = new Layer();
  for (let i = 0; i < 100; i++) many.file(`f${i}`);
  await assert.rejects(unpackAll([many], { limits: { entries: 99 } }), /more than 99 files/);
});
