// Layers that are odd but no attack, loaded by an unprivileged user beside what umoci makes of them. Where the two
// differ, the case says why ours is right.
import assert from 'node:assert/strict';
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';
import { Layer, paxRecords } from '../support/tar.ts';
import { readTree } from './rootfs.ts';

const skip = isRoot && existsSync('/usr/bin/apt-get') ? undefined : 'umoci is installed by root on Debian';
let helper: InstalledHelper;
let count = 0;

before(async () => {
  if (skip) return;
  needPackages('umoci');
  helper = await installHelper(findUser());
});
after(() => helper?.remove());

/** `tree` or `error` only where umoci's is another. */
interface Case {
  name: string;
  layers: Layer[];
  tree?: Record<string, string>;
  error?: RegExp;
}

const long = 'n'.repeat(255);
const wide = (mode: number) =>
  new Layer().directory('d', mode).file('d/a', 'a').directory('d/e', mode).file('d/e/b', 'b');
const sparse = (extra: Record<string, string>, map = '') => ({
  data: map === '' ? 'abc' : Buffer.concat([Buffer.from(map.padEnd(512, '\0')), Buffer.from('abc')]),
  pax: extra,
});

const cases: Case[] = [
  // One name several times in a layer.
  { name: 'file, then directory', layers: [new Layer().file('a', 'x').directory('a').file('a/b', 'b')] },
  { name: 'directory, then file', layers: [new Layer().directory('a').file('a/b', 'b').file('a', 'x')] },
  {
    name: 'directory, then link',
    layers: [new Layer().directory('t').directory('a').file('a/b', 'b').symlink('a', 't')],
  },
  {
    name: 'directory, then link, then below it',
    layers: [new Layer().directory('t').directory('a').file('a/b', 'b').symlink('a', 't').file('a/c', 'c')],
  },
  {
    name: 'link, then directory',
    layers: [new Layer().directory('t').symlink('a', 't').file('a/in', 'x').directory('a').file('a/b', 'b')],
  },
  {
    name: 'link, then directory over layers',
    layers: [
      new Layer().directory('t').file('t/f', 'f').symlink('a', 't'),
      new Layer().directory('a').file('a/b', 'b'),
    ],
  },
  { name: 'link, then below it', layers: [new Layer().directory('t').symlink('a', 't').file('a/in', 'x')] },
  { name: 'link, then file', layers: [new Layer().file('t', 't').symlink('a', 't').file('a', 'x')] },
  { name: 'directory twice', layers: [new Layer().directory('a', 0o700).file('a/x', 'x').directory('a', 0o755)] },
  {
    name: 'FIFO, then file, then FIFO',
    layers: [
      new Layer()
        .add({ name: 'a', type: '6' })
        .file('a', 'x')
        .add({ name: 'b', type: '6' })
        .file('b', 'x')
        .add({ name: 'b', type: '6' }),
    ],
  },
  // Devices are left out; umoci puts empty files in their places.
  {
    name: 'file, then device',
    layers: [new Layer().file('a', 'x').add({ name: 'a', type: '3', device: [1, 3] })],
    tree: {},
  },
  { name: 'file linked, then replaced', layers: [new Layer().file('a', 'x').hardlink('b', 'a').file('a', 'y')] },
  {
    name: 'file linked, then linked to another',
    layers: [new Layer().file('a', 'x').file('c', 'c').hardlink('b', 'a').hardlink('b', 'c')],
  },
  // Hard links.
  { name: 'link to a link', layers: [new Layer().symlink('s', 'nowhere').hardlink('h', 's')] },
  { name: 'link to a link to a file', layers: [new Layer().file('f', 'f').symlink('s', 'f').hardlink('h', 's')] },
  {
    name: 'link through a link',
    layers: [new Layer().directory('d').file('d/f', 'f').symlink('s', 'd').hardlink('h', 's/f')],
  },
  // umoci says so in other words.
  {
    name: 'link to a later member',
    layers: [new Layer().hardlink('h', 'f').file('f', 'f')],
    error: /h is a hard link to \w, which is no file of the image/,
  },
  {
    name: 'link to a lower layer',
    layers: [new Layer().directory('d').file('d/f', 'f'), new Layer().hardlink('h', 'd/f')],
  },
  {
    name: 'link to a lower layer that this one replaces before',
    layers: [new Layer().file('f', 'old'), new Layer().file('f', 'new').hardlink('h', 'f')],
  },
  {
    name: 'link to a lower layer that this one replaces after',
    layers: [new Layer().file('f', 'old'), new Layer().hardlink('h', 'f').file('f', 'new')],
  },
  // umoci says so in other words.
  {
    name: 'link to a directory',
    layers: [new Layer().directory('d').hardlink('h', 'd')],
    error: /h is a hard link to \w, which is no file of the image/,
  },
  // umoci says so in other words.
  {
    name: 'link to what is deleted in a layer between',
    layers: [new Layer().file('f', 'f'), new Layer().whiteout('f'), new Layer().hardlink('h', 'f')],
    error: /h is a hard link to \w, which is no file of the image/,
  },
  // umoci says so in other words.
  {
    name: 'link to what is deleted before in its layer',
    layers: [new Layer().file('f', 'f'), new Layer().whiteout('f').hardlink('h', 'f')],
    error: /h is a hard link to \w, which is no file of the image/,
  },
  {
    name: 'link to what is deleted after in its layer',
    layers: [new Layer().file('f', 'f'), new Layer().hardlink('h', 'f').whiteout('f')],
  },
  {
    name: 'link to what is deleted in a higher layer',
    layers: [new Layer().file('f', 'f').hardlink('h', 'f'), new Layer().whiteout('f')],
  },
  // umoci says so in other words.
  {
    name: 'link to nothing',
    layers: [new Layer().hardlink('h', 'f')],
    error: /h is a hard link to \w, which is no file of the image/,
  },
  {
    name: 'link to a link of a lower layer, a directory in a higher',
    layers: [
      new Layer().directory('t').symlink('a', '../../t'),
      new Layer().hardlink('c', 'a'),
      new Layer().directory('c/d'),
    ],
  },
  {
    name: 'link from a directory to what is in it',
    layers: [new Layer().directory('d').file('d/f', 'f').hardlink('d', 'd/f')],
    error: /d is a hard link into itself/,
  },
  // Pipes are made when all else is there, each on its own.
  {
    name: 'link to a FIFO',
    layers: [new Layer().add({ name: 'p', type: '6' }).hardlink('h', 'p')],
    tree: { h: 'fifo 644', p: 'fifo 644' },
  },
  // Devices are left out, whatever their names; umoci makes empty files.
  {
    name: 'link to a device',
    layers: [new Layer().add({ name: 'p', type: '3', device: [1, 3] }).hardlink('h', 'p')],
    tree: {},
  },
  {
    name: 'link with data',
    layers: [new Layer().file('f', 'f').add({ name: 'h', type: '1', link: 'f', size: 5 }).file('g', 'g')],
  },
  {
    name: 'link with absolute target',
    layers: [new Layer().file('f', 'f').hardlink('h', '/f').hardlink('i', './f').hardlink('j', 'x/../f')],
  },
  // Whiteouts.
  {
    name: 'opaque after entries of its layer',
    layers: [new Layer().directory('d').file('d/old', 'o'), new Layer().directory('d').file('d/new', 'n').opaque('d')],
  },
  {
    name: 'opaque before entries of its layer',
    layers: [new Layer().directory('d').file('d/old', 'o'), new Layer().directory('d').opaque('d').file('d/new', 'n')],
  },
  {
    name: 'opaque before its directory',
    layers: [
      new Layer().directory('d').file('d/old', 'o'),
      new Layer().opaque('d').directory('d', 0o700).file('d/new', 'n'),
    ],
  },
  { name: 'opaque of nothing', layers: [new Layer().file('f', 'f'), new Layer().opaque('d')] },
  { name: 'opaque of a file', layers: [new Layer().file('f', 'f'), new Layer().opaque('f')] },
  {
    name: 'opaque of a link to a directory',
    layers: [new Layer().directory('t').file('t/x', 'x').symlink('d', 't'), new Layer().opaque('d')],
  },
  {
    name: 'opaque twice',
    layers: [
      new Layer().directory('d').file('d/old', 'o'),
      new Layer().directory('d').opaque('d').file('d/n', 'n').opaque('d'),
    ],
  },
  {
    name: 'opaque that is a directory',
    layers: [new Layer().directory('d').file('d/old', 'o'), new Layer().directory('d/.wh..wh..opq')],
  },
  {
    name: 'whiteout, then made again',
    layers: [
      new Layer().file('f', 'old').directory('d').file('d/old', 'o'),
      new Layer().whiteout('f').file('f', 'new').whiteout('d').directory('d').file('d/new', 'n'),
    ],
  },
  {
    name: 'made again, then whiteout',
    layers: [
      new Layer().file('f', 'old').directory('d').file('d/old', 'o'),
      new Layer().file('f', 'new').whiteout('f').directory('d').file('d/new', 'n').whiteout('d'),
    ],
  },
  {
    name: 'whiteout of its own layer alone',
    layers: [new Layer().file('f', 'f').whiteout('f').directory('d').file('d/x', 'x').whiteout('d/x')],
  },
  { name: 'whiteout of nothing', layers: [new Layer().file('f', 'f'), new Layer().whiteout('g').whiteout('d/e/g')] },
  { name: 'whiteout below a file', layers: [new Layer().file('f', 'f'), new Layer().whiteout('f/g')] },
  {
    name: 'whiteout through a link',
    layers: [new Layer().directory('t').file('t/x', 'x').symlink('d', 't'), new Layer().whiteout('d/x')],
  },
  {
    name: 'whiteout of a link',
    layers: [new Layer().directory('t').file('t/x', 'x').symlink('d', 't'), new Layer().whiteout('d')],
  },
  {
    name: 'whiteout that is a directory or a link',
    layers: [new Layer().file('f', 'f').file('g', 'g'), new Layer().directory('.wh.f').symlink('.wh.g', 'x')],
  },
  { name: 'whiteout with something below', layers: [new Layer().file('x', 'x'), new Layer().file('.wh.f/x', 'x')] },
  {
    name: 'whiteout of a name that begins like one',
    layers: [
      new Layer().file('.whatever', 'x').file('.wh', 'y').file('a.wh.b', 'z'),
      new Layer().whiteout('.whatever'),
    ],
  },
  // Docker passes over all of AUFS's own names (moby, pkg/archive/diff.go).
  {
    name: 'AUFS',
    layers: [
      new Layer().file('f', 'f').directory('.wh..wh.plnk').file('.wh..wh.plnk/1.2', 'x').file('.wh..wh.aufs'),
      new Layer().file('.wh..wh.orph'),
    ],
    tree: { f: 'file 644 f' },
  },
  { name: 'whiteout in the lowest layer', layers: [new Layer().file('f', 'f').whiteout('g').opaque('d')] },
  // umoci removes the directory itself and fails.
  { name: 'whiteout of no name', layers: [new Layer().file('.wh.')], error: /deletes no name/ },
  // umoci removes the directory itself and fails.
  { name: 'whiteout of .', layers: [new Layer().file('.wh..')], error: /deletes no name/ },
  // umoci removes the directory itself and fails.
  { name: 'whiteout of ..', layers: [new Layer().directory('d').file('d/.wh...')], error: /deletes no name/ },
  { name: 'whiteout of ./x', layers: [new Layer().file('x', 'x'), new Layer().file('.wh./x', 'x')] },
  // Headers.
  {
    name: 'pax path and linkpath',
    layers: [
      new Layer()
        .add({ name: 'no', data: 'x', pax: { path: long } })
        .add({ name: 'no', type: '2', pax: { path: 's', linkpath: long } })
        .add({ name: 'no', type: '1', pax: { path: 'h', linkpath: long } }),
    ],
  },
  {
    name: 'pax size',
    layers: [new Layer().add({ name: 'a', data: 'abc', size: 0, pax: { size: '3' } }).file('b', 'b')],
  },
  {
    name: 'pax values that are empty',
    layers: [
      new Layer().add({ name: 'a', data: 'abc', pax: { path: '', size: '', linkpath: '', mtime: '' } }).file('b', 'b'),
    ],
  },
  // Docker passes over global headers; umoci of Debian 12 knows none.
  {
    name: 'pax global path',
    layers: [new Layer().add({ name: 'g', type: 'g', data: paxRecords({ path: 'global' }) }).file('a', 'a')],
    tree: { a: 'file 644 a' },
  },
  // Docker passes over global headers; umoci of Debian 12 knows none.
  {
    name: 'pax global size',
    layers: [
      new Layer()
        .add({ name: 'g', type: 'g', data: paxRecords({ size: '600' }) })
        .file('a', 'a')
        .file('b', 'b'),
    ],
    tree: { a: 'file 644 a', b: 'file 644 b' },
  },
  // Docker passes over global headers; umoci of Debian 12 knows none.
  {
    name: 'pax global between a header and its member',
    layers: [
      new Layer()
        .add({ name: 'x', type: 'x', data: paxRecords({ path: 'own' }) })
        .add({ name: 'g', type: 'g', data: paxRecords({ comment: 'c' }) })
        .file('a', 'a'),
    ],
    tree: { own: 'file 644 a' },
  },
  {
    name: 'pax and GNU name together',
    layers: [
      new Layer()
        .add({ name: '././@LongLink', type: 'L', data: 'gnu\0' })
        .add({ name: 'a', data: 'a', pax: { path: 'pax' } })
        .add({ name: 'x', type: 'x', data: paxRecords({ path: 'pax2' }) })
        .add({ name: '././@LongLink', type: 'L', data: 'gnu2\0' })
        .file('b', 'b'),
    ],
  },
  {
    name: 'two pax headers',
    layers: [
      new Layer()
        .add({ name: 'x', type: 'x', data: paxRecords({ path: 'one' }) })
        .add({ name: 'x', type: 'x', data: paxRecords({ mtime: '7' }) })
        .file('a', 'a'),
    ],
  },
  { name: 'a name of a file that ends in a slash', layers: [new Layer().file('a/', 'data')] },
  {
    name: 'names with dots',
    layers: [new Layer().directory('./').directory('./a').file('./a//b', 'b').file('a/./c', 'c').file('a/', '')],
  },
  // umoci says so in other words.
  { name: 'no name', layers: [new Layer().file('', 'x').file('a', 'a')], error: /the root, is no directory/ },
  // umoci says so in other words.
  { name: 'file named .', layers: [new Layer().file('.', 'x').file('a', 'a')], error: /the root, is no directory/ },
  // umoci says so in other words.
  {
    name: 'root as a link',
    layers: [new Layer().symlink('.', 'x').file('a', 'a')],
    error: /the root, is no directory/,
  },
  { name: 'a file with a prefix', layers: [new Layer().file(`${'p'.repeat(120)}/${'q'.repeat(90)}`, 'x')] },
  // A kind that nobody knows is left out, and said; umoci gives up.
  {
    name: 'unknown type',
    layers: [
      new Layer().add({ name: 'a', type: 'Z', data: 'abc' }).add({ name: 'c', type: '7', data: 'abc' }).file('b', 'b'),
    ],
    tree: { b: 'file 644 b', c: 'file 644 abc' },
  },
  // umoci says so in other words: a directory has no data.
  {
    name: 'directory with data',
    layers: [new Layer().add({ name: 'd/', type: '5', data: 'abc' }).file('b', 'b')],
    error: /checksum/,
  },
  {
    name: 'directory with a size',
    layers: [new Layer().add({ name: 'd/', type: '5', size: 4096, mode: 0o755 }).file('b', 'b')],
  },
  {
    name: 'symlink with a size',
    layers: [new Layer().add({ name: 's', type: '2', link: 't', size: 4096 }).file('b', 'b')],
  },
  // umoci says so in other words.
  {
    name: 'empty symlink',
    layers: [new Layer().add({ name: 's', type: '2', link: '' }).file('b', 'b')],
    error: /s is a symbolic link to nothing/,
  },
  {
    name: 'base 256',
    layers: [
      new Layer()
        .add({
          name: 'a',
          data: 'abc',
          patch(h) {
            h.fill(0, 124, 136);
            h[124] = 128;
            h[135] = 3;
          },
        })
        .add({ name: 'u', uid: 3_000_000, gid: 3_000_000, mtime: 2 ** 35 }),
    ],
  },
  {
    name: 'xattrs',
    layers: [
      new Layer().add({
        name: 'a',
        data: 'abc',
        pax: { 'SCHILY.xattr.user.x': 'v', 'LIBARCHIVE.xattr.user.y': 'dg==' },
      }),
    ],
  },
  {
    name: 'capabilities',
    layers: [
      new Layer().add({
        name: 'a',
        data: 'abc',
        pax: { 'SCHILY.xattr.security.capability': Buffer.from('0100000200040000000000000000000000000000', 'hex') },
      }),
    ],
  },
  {
    name: 'sparse 0.1',
    layers: [
      new Layer()
        .add({
          name: 'v',
          ...sparse({ 'GNU.sparse.map': '8,3', 'GNU.sparse.size': '16', 'GNU.sparse.numblocks': '1' }),
        })
        .file('b', 'b'),
    ],
  },
  {
    name: 'sparse 1.0',
    layers: [
      new Layer()
        .add({
          name: 'v',
          ...sparse({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '16' }, '1\n8\n3\n'),
        })
        .file('b', 'b'),
    ],
  },
  {
    name: 'sparse with entries of no length',
    layers: [
      new Layer()
        .add({
          name: 'v',
          ...sparse(
            { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '16' },
            '3\n0\n0\n8\n3\n16\n0\n',
          ),
        })
        .file('b', 'b'),
    ],
  },
  {
    name: 'sparse with no data',
    layers: [
      new Layer()
        .add({ name: 'v', pax: { 'GNU.sparse.map': '16,0', 'GNU.sparse.size': '16', 'GNU.sparse.numblocks': '1' } })
        .file('b', 'b'),
    ],
  },
  {
    name: 'sparse with a map of nothing',
    layers: [
      new Layer()
        .add({
          name: 'v',
          pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '16' },
          data: '0\n'.padEnd(512, '\0'),
        })
        .file('b', 'b'),
    ],
  },
  // umoci says so in other words.
  {
    name: 'sparse whose pieces overlap',
    layers: [mapped('abcdef', '8,3,9,3')],
    error: /pieces out of order/,
  },
  // umoci says so in other words.
  {
    name: 'sparse whose pieces go backwards',
    layers: [mapped('abcdef', '8,3,0,3')],
    error: /pieces out of order/,
  },
  // umoci says so in other words.
  {
    name: 'sparse behind its end',
    layers: [mapped('abc', '20,3')],
    error: /data behind its end/,
  },
  // Modes.
  { name: 'root 0555', layers: [new Layer().directory('.', 0o555).file('a', 'a'), new Layer().file('b', 'b')] },
  { name: 'root 0000', layers: [new Layer().directory('.', 0).file('a', 'a')] },
  { name: '0555', layers: [wide(0o555)] },
  { name: '0000', layers: [wide(0)] },
  { name: '0555, and more in a higher layer', layers: [wide(0o555), new Layer().file('d/e/c', 'c').whiteout('d/e/b')] },
  { name: '0000, and more in a higher layer', layers: [wide(0), new Layer().file('d/e/c', 'c').whiteout('d/e/b')] },
  {
    name: '0000 above 0755',
    layers: [wide(0o755), new Layer().directory('d', 0).directory('d/e', 0).file('d/e/b', 'new', 0)],
  },
  { name: '0000 replaced', layers: [wide(0), new Layer().file('d', 'd')] },
  { name: '0000 opaque', layers: [wide(0), new Layer().directory('d', 0o755).opaque('d')] },
];

for (const each of cases) {
  test(each.name, { skip }, async () => {
    const layout = join(helper.folder, `layout-${count}`);
    const bundle = join(helper.folder, `bundle-${count}`);
    const store = join(helper.folder, `store-${count++}`);
    writeLayout(layout, { latest: buildImage({ layers: each.layers }) });
    const [ours, theirs] = await Promise.all([
      helper.run(['image', 'load', layout, '--image-store', store, '--json']),
      runAs(helper.user, 'umoci', ['unpack', '--rootless', '--image', `${layout}:latest`, bundle]),
    ]);
    if (each.error) {
      assert.notEqual(theirs.code, 0, 'umoci takes it');
      assert.equal(ours.code, 1);
      assert.match(ours.stderr, each.error);
      return;
    }
    assert.equal(ours.code, 0, ours.stderr);
    const tree = each.tree ?? readTree(join(bundle, 'rootfs'));
    if (!each.tree) assert.equal(theirs.code, 0, theirs.stderr);
    assert.deepEqual(readTree(JSON.parse(ours.stdout)[0].rootfs), tree);
  });
}

test('times: fractions, before 1970, beyond all calendars', { skip }, async () => {
  const layer = new Layer()
    .file('fraction', '', 0o644, { pax: { mtime: '1700000000.25' } })
    .file('negative', '', 0o644, { pax: { mtime: '-3.5' } })
    .file('negative256', '', 0o644, { mtime: -5 })
    .file('beyond', '', 0o644, { pax: { mtime: '1e300' } })
    .file('infinite', '', 0o644, { pax: { mtime: 'Infinity' } })
    .file('beyond256', '', 0o644, { mtime: 2 ** 60 })
    .file('nonsense', '', 0o644, { pax: { mtime: 'soon' } })
    .directory('zero', 0o755, { mtime: 0 });
  const layout = join(helper.folder, `layout-${count}`);
  writeLayout(layout, { latest: buildImage({ layers: [layer] }) });
  const store = join(helper.folder, `store-${count++}`);
  const loaded = await helper.run(['image', 'load', layout, '--image-store', store, '--json']);
  assert.equal(loaded.code, 0, loaded.stderr);
  const root = JSON.parse(loaded.stdout)[0].rootfs;
  const timeOf = (name: string) => lstatSync(join(root, name)).mtimeMs;
  assert.equal(timeOf('fraction'), 1_700_000_000_250);
  const others = ['negative', 'negative256', 'beyond', 'infinite', 'beyond256', 'nonsense', 'zero'];
  // As Docker has it (moby, pkg/system/chtimes.go); umoci keeps those before 1970.
  assert.deepEqual(
    others.map(timeOf),
    others.map(() => 0),
  );
});

/** Of 16 bytes, with a map of `OFFSET,LENGTH` in pax 0.1. */
function mapped(data: string, map: string): Layer {
  const pieces = map.split(',').length / 2;
  const pax = { 'GNU.sparse.map': map, 'GNU.sparse.size': '16', 'GNU.sparse.numblocks': `${pieces}` };
  return new Layer().add({ name: 'v', data, pax });
}
