// An image that shares layers with one of the store takes their files from it, by hard links, and is the same as without.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as breathe } from 'node:timers/promises';
import { convertImage, type ImageSource } from '#image/convert.ts';
import { pruneStore, removeImage } from '#image/housekeeping.ts';
import type { Image } from '#image/image.ts';
import { loadImage } from '#image/load.ts';
import { pullImage } from '#image/pull.ts';
import { removeTree } from '#image/remove-tree.ts';
import { openStore, type Store } from '#image/store.ts';
import { buildImage, digestOf, type TestImage, writeLayout } from '../support/images.ts';
import { run } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { startFaultyRegistry } from './faulty-registry.ts';
import { readTimes, readTree } from './rootfs.ts';

const folder = mkdtempSync(join(tmpdir(), 'cwl-shared-layers-'));
after(() => removeTree(folder));
let count = 0;

const base = new Layer()
  .directory('d', 0o755, { mtime: 1_000_000_000 })
  .file('d/a', 'a', 0o640, { mtime: 1_100_000_000 })
  .file('d/b', 'b', 0o755)
  .file('d/none', 'secret', 0)
  .file('d/c', 'twins')
  .hardlink('d/twin', 'd/c')
  .symlink('d/link', 'a')
  .directory('closed', 0o500)
  .file('closed/c', 'c', 0o400)
  .file('./dotted', 'dotted')
  .file(Buffer.from([0x66, 0xfc, 0xff]), 'no UTF-8')
  .add({ name: 'x', data: 'long', pax: { path: `${'n'.repeat(150)}` } })
  .add({ name: 'pipe', type: '6', mode: 0o640 });
const middle = new Layer().directory('d').file('d/b', 'new b').file('m', 'm', 0o600).file('none', '');
const small = new Layer().file('own', 'own');

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

const damages: [what: string, damage: (path: string) => void][] = [
  ['longer', path => appendFileSync(path, 'more')],
  ['touched', path => utimesSync(path, 2e9, 2e9)],
  ['of another mode', path => chmodSync(path, 0o666)],
  ['gone', path => removeTree(path)],
  [
    'a link',
    path => {
      removeTree(path);
      symlinkSync('b', path);
    },
  ],
  [
    'a directory',
    path => {
      removeTree(path);
      mkdirSync(path);
    },
  ],
];

for (const [what, damage] of damages) {
  test(`a file of the first image that is ${what} is not taken`, async () => {
    const store = openStore(nextFolder());
    const first = await load(store, [base]);
    damage(join(first.rootfs, 'd/a'));
    const second = await load(store, [base, small]);
    await checkSame(second, [base, small]);
    assert.equal(statSync(join(second.rootfs, 'd/a')).nlink, 1);
    assert.equal(inode(second, 'closed/c'), inode(first, 'closed/c'));
  });
}

test('listings and hidden data that are damaged, cut off or gone are not missed', async () => {
  const hex = digestOf(base.toBuffer()).slice('sha256:'.length);
  const cuts: ((layers: string) => void)[] = [
    layers => truncateSync(join(layers, hex), 300),
    layers => truncateSync(join(layers, hex), 0),
    layers => writeFileSync(join(layers, hex), '["d","5",\n'),
    layers => truncateSync(join(layers, 'hidden'), 0),
    layers => removeTree(join(layers, hex)),
    layers => removeTree(layers),
  ];
  for (const cut of cuts) {
    const store = openStore(nextFolder());
    const first = await load(store, [base, new Layer().whiteout('d')]);
    cut(join(first.rootfs, '..', 'layers'));
    await checkSame(await load(store, [base, small]), [base, small]);
  }
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

test('an image whose files can have no links of here is copied from', async () => {
  const store = openStore(nextFolder());
  const first = await load(store, [base, middle]);
  const elsewhere = mkdtempSync('/dev/shm/cwl-shared-layers-');
  try {
    run('mv', [first.rootfs, join(elsewhere, 'root')]);
    symlinkSync(join(elsewhere, 'root'), first.rootfs);
    assert.notEqual(statSync(first.rootfs).dev, statSync(store.folder).dev, 'this test needs /dev/shm beside a disk');
    const isRoot = process.getuid?.() === 0;
    // Who is not root can't read d/none, so its layer is read.
    const second = await load(store, [base, middle, small], isRoot ? { without: 2 } : {});
    await checkSame(second, [base, middle, small]);
    assert.equal(statSync(join(second.rootfs, 'm')).nlink, 1);
  } finally {
    removeTree(elsewhere);
  }
});

test('a file that has all the links it can have is copied, and hard links in the image too', async context => {
  const store = openStore(nextFolder());
  const first = await load(store, [base]);
  const links = join(store.folder, 'links');
  mkdirSync(links);
  const fill = () => {
    for (let i = 0; i < 200_000; i++) {
      try {
        linkSync(join(first.rootfs, 'd/c'), join(links, `${i}`));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'EMLINK');
        return i;
      }
    }
    return 0;
  };
  const most = fill();
  if (most === 0) return context.skip('this file system has no limit for links');
  const second = await load(store, [base, small], { without: 1 });
  await checkSame(second, [base, small]);
  assert.notEqual(inode(second, 'd/c'), inode(first, 'd/c'));
  assert.equal(inode(second, 'd/twin'), inode(second, 'd/c'));
  assert.equal(inode(second, 'd/b'), inode(first, 'd/b'));
  const found = store.find(second.digest);
  assert.ok(found);
  removeImage(store, found);
  // One link more is possible: the file itself, and not its twin.
  removeTree(join(links, '0'));
  const other = new Layer().file('other');
  const third = await load(store, [base, other], { without: 1 });
  const tree = readTree(third.rootfs);
  assert.equal(tree['d/c'], 'file 644 twins');
  assert.equal(tree['d/twin'], 'file 644 twins');
  assert.equal(inode(third, 'd/c'), inode(first, 'd/c'));
  assert.equal(lstatSync(join(first.rootfs, 'd/c')).mode & 0o777, 0o644);
});

test('an image that is removed while another one takes from it is not missed', async () => {
  const many = new Layer();
  for (let i = 0; i < 1000; i++) many.file(`f${i}`, `content ${i}`);
  for (const moment of ['before', 'meanwhile'] as const) {
    const store = openStore(nextFolder());
    const first = await load(store, [many]);
    const found = store.find(first.digest);
    assert.ok(found);
    const tops = [new Layer().file('top')];
    const isHalf = () => {
      const drafts = join(store.folder, 'temporary');
      return readdirSync(drafts).some(name => existsSync(join(drafts, name, 'root', 'f200')));
    };
    const watch = async () => {
      while (moment === 'meanwhile' && !isHalf()) await breathe();
      removeImage(store, found);
    };
    let watching: Promise<void> | undefined;
    const source = sourceOf([many, ...tops], index => {
      if (index === 1) watching = watch();
    });
    const second = await convertImage(source, { store });
    await watching;
    assert.equal(store.find(first.digest), undefined);
    for (let i = 0; i < 1000; i++)
      assert.equal(readFileSync(join(second.rootfs, `f${i}`), 'utf8'), `content ${i}`, `${moment} ${i}`);
  }
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

/** Loads an image; `without`: its archive lacks so many of the lowest layers, or those. */
async function load(
  store: Store,
  layers: Layer[],
  { without = [] }: { without?: number | ('base' | 'small')[] } = {},
): Promise<Image> {
  const image = buildImage({ layers });
  const lacking =
    typeof without === 'number' ? layers.slice(0, without) : without.map(name => (name === 'base' ? base : small));
  const { layers: listed } = JSON.parse(image.manifest.toString()) as { layers: { digest: string }[] };
  layers.forEach((layer, i) => {
    if (lacking.includes(layer)) image.blobs.delete(listed[i]?.digest ?? '');
  });
  const layout = nextFolder();
  writeLayout(layout, { [`lab/image-${count}:1`]: image });
  try {
    return await loadImage(layout, { store });
  } finally {
    assert.deepEqual(readdirSync(join(store.folder, 'temporary')), []);
  }
}

/** An image of uncompressed layers, which tells when one is opened. */
function sourceOf(layers: Layer[], onOpen: (index: number) => void): ImageSource {
  const sources = layers.map((layer, index) => {
    const bytes = layer.toBuffer();
    const path = nextFolder();
    writeFileSync(path, bytes);
    const slice = { path, start: 0, length: bytes.length };
    const open = async () => {
      onOpen(index);
      return slice;
    };
    return { name: `${index}`, diffId: digestOf(bytes), size: bytes.length, open };
  });
  const config = { env: {}, entrypoint: [], command: [], architecture: 'amd64' };
  const digest = digestOf(Buffer.from(`${count}`));
  return { reference: 'lab/second:1', digest, config, layers: sources, layerDigests: [] };
}

/** The same image in a store of its own, from its layers alone. */
async function checkSame(image: Image, layers: Layer[]): Promise<void> {
  const alone = await load(openStore(nextFolder()), layers);
  assert.deepEqual(
    readTree(image.rootfs, () => true),
    {
      ...readTree(alone.rootfs, () => true),
      '.cwl-on-clusters': `file 444 ${image.digest}\n`,
    },
  );
  assert.deepEqual(await readTimes(image.rootfs), await readTimes(alone.rootfs));
}

function inode(image: Image, name: string): number {
  return lstatSync(join(image.rootfs, name)).ino;
}

function nextFolder(): string {
  return join(folder, `${count++}`);
}
