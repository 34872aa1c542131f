// An image that shares layers with one of the store takes their files from it, by hard links, and is the same as without.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pruneStore, removeImage } from '#image/housekeeping.ts';
import { pullImage } from '#image/pull.ts';
import { removeTree } from '#image/remove-tree.ts';
import { openStore } from '#image/store.ts';
import { buildImage, type TestImage } from '../support/images.ts';
import { Layer } from '../support/tar.ts';
import { startFaultyRegistry } from './faulty-registry.ts';
import { base, checkSame, inode, load, middle, nextFolder, small } from './shared-layers.ts';

test('the second image has the files of the first, and needs none of the layers that they share', async () => {
  const store = openStore(nextFolder());
  const first = await load(store, [base, middle]);
  const second = await load(store, [base, middle, small], { without: 2 });
  await checkSame(second, [base, middle, small]);
  for (const name of ['d/a', 'd/b', 'd/none', 'closed/c', 'dotted', 'm', 'n'.repeat(150)])
    assert.equal(inode(second, name), inode(first, name), name);
  assert.equal(inode(second, 'd/twin'), inode(second, 'd/c'));
  assert.equal(statSync(join(second.rootfs, 'own')).nlink, 1);
});

test('a third takes from the second once the first is gone, and from a store that was moved', async () => {
  const store = openStore(nextFolder());
  const first = await load(store, [base, middle]);
  await load(store, [base, middle, small], { without: 2 });
  const found = store.find(first.digest);
  assert.ok(found);
  removeImage(store, found);
  const moved = nextFolder();
  renameSync(store.folder, moved);
  const third = new Layer().file('third', 'x');
  await checkSame(await load(openStore(moved), [base, middle, third], { without: 2 }), [base, middle, third]);
});

const hiding: [name: string, donor: Layer][] = [
  ['replaced', new Layer().directory('d', 0o700).file('d/a', 'other').file('d/b', 'other', 0o600)],
  ['removed', new Layer().directory('d').whiteout('d/a').whiteout('d/none').whiteout('dotted')],
  ['removed with its directory', new Layer().whiteout('d').whiteout('closed')],
  ['hidden by an opaque directory', new Layer().directory('d').opaque('d').file('d/only', 'x')],
  ['replaced by directories', new Layer().directory('d').directory('d/a').file('d/a/x', 'x').directory('m')],
  ['replaced by links', new Layer().directory('d').symlink('d/a', 'b').symlink('m', '/d')],
];

for (const [name, donor] of hiding) {
  test(`what an image has ${name} is there for the next one`, async () => {
    const store = openStore(nextFolder());
    await load(store, [base, middle, donor]);
    await checkSame(await load(store, [base, middle], { without: 2 }), [base, middle]);
    await checkSame(await load(store, [base, small], { without: 1 }), [base, small]);
    // Both may hide it.
    const both = [base, middle, donor, small];
    await checkSame(await load(store, both, { without: 3 }), both);
  });
}

test('empty files that an image hides need no data', async () => {
  const store = openStore(nextFolder());
  const layer = new Layer().file('full', 'x').file('empty', '');
  const first = await load(store, [layer, new Layer().whiteout('empty')]);
  assert.equal(existsSync(join(first.rootfs, '..', 'layers', 'hidden')), false);
  await checkSame(await load(store, [layer, small], { without: 1 }), [layer, small]);
});

test('layers of an image are taken wherever they lie in it', async () => {
  const store = openStore(nextFolder());
  await load(store, [base, middle, small]);
  const other = new Layer().directory('d').file('d/b', 'another b').file('other', 'x');
  const layers = [other, small, base];
  await checkSame(await load(store, layers, { without: ['small', 'base'] }), layers);
});

test('a large file that the first image hides is read from its layer, and the others are still shared', async () => {
  const store = openStore(nextFolder());
  const large = Buffer.alloc(5 << 20, 'large');
  const layer = new Layer().file('before', 'x').file('large', large).file('after', 'y');
  const first = await load(store, [layer, new Layer().whiteout('large')]);
  await assert.rejects(load(store, [layer, small], { without: 1 }), /lacks the layer/);
  const second = await load(store, [layer, small]);
  await checkSame(second, [layer, small]);
  for (const name of ['before', 'after']) assert.equal(inode(second, name), inode(first, name));
  // From now on it is there.
  const third = [layer, new Layer().file('third')];
  await checkSame(await load(store, third, { without: 1 }), third);
});

test('a layer of many small files that the first image hides is kept up to a limit only', async () => {
  const store = openStore(nextFolder());
  const layer = new Layer();
  const removing = new Layer();
  for (let i = 0; i < 20; i++) {
    layer.file(`f${i}`, Buffer.alloc(3 << 20, `${i}`));
    removing.whiteout(`f${i}`);
  }
  const first = await load(store, [layer, removing]);
  const kept = store.list()[0]?.kept;
  assert.ok(kept && kept.bytes > 25e6 && kept.bytes < 35e6);
  assert.equal(readdirSync(first.rootfs).filter(name => name.startsWith('f')).length, 0);
  await checkSame(await load(store, [layer, small]), [layer, small]);
});

test('a layer that has a name twice is not shared: its first file is gone', async () => {
  const store = openStore(nextFolder());
  const layer = new Layer().file('a', 'one!').hardlink('b', 'a').file('a', 'two!');
  await load(store, [layer]);
  assert.deepEqual(store.list()[0]?.kept, undefined);
  const second = await load(store, [layer, small]);
  assert.deepEqual(
    ['a', 'b'].map(name => readFileSync(join(second.rootfs, name), 'utf8')),
    ['two!', 'one!'],
  );
});

test('the marker of the image is its own, whatever its layers have of that name', async () => {
  const store = openStore(nextFolder());
  const layer = new Layer().file('.cwl-on-clusters', 'x'.repeat(72)).hardlink('twin', '.cwl-on-clusters');
  await load(store, [layer]);
  const second = await load(store, [layer, small]);
  await checkSame(second, [layer, small]);
  assert.equal(readFileSync(join(second.rootfs, '.cwl-on-clusters'), 'utf8'), `${second.digest}\n`);
});

test('layers that only make sense from the bottom up take their files from an earlier image as well', async () => {
  const store = openStore(nextFolder());
  const linked = new Layer().directory('usr').directory('usr/lib').file('usr/lib/a', 'a').symlink('lib', 'usr/lib');
  const first = await load(store, [linked]);
  const through = new Layer().file('lib/x', 'x').hardlink('copy', 'usr/lib/a');
  const second = await load(store, [linked, through], { without: 1 });
  await checkSame(second, [linked, through]);
  assert.equal(inode(second, 'copy'), inode(first, 'usr/lib/a'));
  // What came of it is no source for others, but neither in their way.
  const third = [linked, through, small];
  await checkSame(await load(store, third), third);
});

test('sparse files are shared, and read from their layer where they were hidden', async () => {
  const store = openStore(nextFolder());
  const pax = { 'GNU.sparse.map': '0,5,1000000,5', 'GNU.sparse.size': '2000000', 'GNU.sparse.numblocks': '2' };
  const layer = new Layer().add({ name: 'sparse', data: 'startlater', pax }).file('plain', 'x');
  const first = await load(store, [layer]);
  const second = await load(store, [layer, small], { without: 1 });
  assert.equal(inode(second, 'sparse'), inode(first, 'sparse'));
  await checkSame(second, [layer, small]);
  assert.equal(store.find(second.digest)?.bytes, 10 + 1 + 3, 'holes are not counted');
  const other = openStore(nextFolder());
  await load(other, [layer, new Layer().whiteout('sparse')]);
  await checkSame(await load(other, [layer, small]), [layer, small]);
});

test('what removing an image gives back is what no other image has', async () => {
  const store = openStore(nextFolder());
  const data = (letter: string) => Buffer.alloc(1 << 20, letter);
  const shared = new Layer().file('s1', data('s')).file('s2', data('t')).hardlink('s3', 's2');
  const first = await load(store, [shared, new Layer().file('first', data('1'))]);
  const second = await load(store, [shared, new Layer().file('second', data('2'))]);
  const third = await load(store, [shared, new Layer().file('third', data('3'))]);
  const images = [first, second, third].map(image => {
    const found = store.find(image.digest);
    assert.ok(found);
    assert.equal(found.bytes, 3 * 2 ** 20, 'each one counts what it shares');
    return found;
  });
  const freed = images.map(image => removeImage(store, image).bytes / 2 ** 20);
  assert.deepEqual(freed.map(Math.round), [1, 1, 3]);
  assert.deepEqual(pruneStore(store), { images: [], layers: 0, bytes: 0 });
});

test('a pull asks for no layer whose files are here', async () => {
  const store = openStore(nextFolder());
  const pull = async (image: TestImage, name: string) => {
    const registry = await startFaultyRegistry(image);
    try {
      const mirrors = { 'docker.io': registry.url };
      const made = await pullImage(`docker.io/${name}`, { store, mirrors, findCredentials: async () => undefined });
      return { made, urls: registry.requests.map(each => each.line) };
    } finally {
      await registry.stop();
    }
  };
  const layers = [base, middle, small];
  const second = buildImage({ layers });
  await pull(buildImage({ layers: [base, middle] }), 'first');
  pruneStore(store, true);
  assert.deepEqual(store.listBlobs(), []);
  const { made, urls } = await pull(second, 'second');
  const { layers: listed } = JSON.parse(second.manifest.toString()) as { layers: { digest: string }[] };
  assert.deepEqual(
    listed.map(layer => urls.filter(url => url.endsWith(layer.digest)).length),
    [0, 0, 1],
  );
  assert.equal(store.listBlobs().length, 1);
  await checkSame(made, layers);
  // Where the files are gone after all, their layer is asked for.
  removeTree(join(made.rootfs, 'd'));
  for (const each of store.list()) if (each.digest !== made.digest) removeImage(store, each);
  const third = buildImage({ layers: [base, middle, new Layer().file('third')] });
  const again = await pull(third, 'third');
  assert.equal(again.urls.filter(url => url.endsWith(listed[0]?.digest ?? '?')).length, 1);
  await checkSame(again.made, [base, middle, new Layer().file('third')]);
});

test('archives neither give nor take files', async () => {
  const place = nextFolder();
  const files = openStore(place);
  await load(files, [base]);
  const packed = openStore(place, { isPacking: true, localDisk: nextFolder() });
  const second = await load(packed, [base, small]);
  await checkSame(second, [base, small]);
  assert.equal(statSync(join(second.rootfs, 'd/b')).nlink, 1);
  assert.deepEqual(readdirSync(packed.imageFolder(second.digest)).sort(), ['image.json', 'root.tar.zst']);
  assert.equal(packed.find(second.digest)?.kept, undefined);
  const third = await load(files, [small], {});
  assert.equal(statSync(join(third.rootfs, 'own')).nlink, 1);
});
