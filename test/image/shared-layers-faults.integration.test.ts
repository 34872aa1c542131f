// The image that files are taken from is damaged, goes away, or its files can't be linked: nobody notices.
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
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as breathe } from 'node:timers/promises';
import { convertImage } from '#image/convert.ts';
import { removeImage } from '#image/housekeeping.ts';
import { removeTree } from '#image/remove-tree.ts';
import { openStore } from '#image/store.ts';
import { digestOf } from '../support/images.ts';
import { run } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { readTree } from './rootfs.ts';
import { base, checkSame, inode, load, middle, nextFolder, small, sourceOf } from './shared-layers.ts';

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

test('an image whose files can have no links of here is copied from', async () => {
  const store = openStore(nextFolder());
  const first = await load(store, [base, middle]);
  const elsewhere = mkdtempSync('/dev/shm/cwl-shared-layers-');
  try {
    run('cp', ['-a', first.rootfs, join(elsewhere, 'root')]);
    removeTree(first.rootfs);
    symlinkSync(join(elsewhere, 'root'), first.rootfs);
    assert.notEqual(statSync(first.rootfs).dev, statSync(store.folder).dev, 'this test needs /dev/shm beside a disk');
    const second = await load(store, [base, middle, small], { without: 2 });
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
