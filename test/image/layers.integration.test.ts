// What layers over each other become (OCI image-spec v1.1, layer.md), on a real file system.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RootfsWriter } from '#image/rootfs-writer.ts';
import { makeRandom } from '../support/random.ts';
import { Layer } from '../support/tar.ts';
import { unpackAll, unpackUpwards } from './rootfs.ts';

type Case = [name: string, layers: Layer[], tree: Record<string, string>];

const cases: Case[] = [
  [
    'the higher layer replaces a file, and the lower keeps the rest',
    [
      new Layer().directory('a').file('a/x', 'old').file('a/y', 'y'),
      new Layer().directory('a', 0o700).file('a/x', 'new', 0o755),
    ],
    { a: 'directory 700', 'a/x': 'file 755 new', 'a/y': 'file 644 y' },
  ],
  [
    'a whiteout removes a file and a tree, also at the top',
    [
      new Layer().directory('a').file('a/x').file('a/y', 'y').directory('b').file('b/z').file('c'),
      new Layer().directory('a').whiteout('a/x').whiteout('b').whiteout('c'),
    ],
    { a: 'directory 755', 'a/y': 'file 644 y' },
  ],
  [
    'a whiteout is of lower layers only, wherever it stands',
    [
      new Layer().directory('a').file('a/old').file('f', 'old'),
      new Layer().directory('a').file('a/new', 'n').whiteout('a').whiteout('f').file('f', 'new'),
    ],
    { a: 'directory 755', 'a/new': 'file 644 n', f: 'file 644 new' },
  ],
  [
    'an opaque directory hides what lower layers have in it',
    [
      new Layer().directory('a').file('a/old').directory('a/sub').file('a/sub/old'),
      new Layer().directory('a').directory('a/sub').file('a/sub/new', 'n').opaque('a'),
      new Layer().directory('a').file('a/top', 't'),
    ],
    { a: 'directory 755', 'a/sub': 'directory 755', 'a/sub/new': 'file 644 n', 'a/top': 'file 644 t' },
  ],
  [
    'the root can be opaque',
    [new Layer().file('old').directory('d').file('d/old'), new Layer().file('.wh..wh..opq').file('new', 'n')],
    { new: 'file 644 n' },
  ],
  [
    'an opaque directory that its layer does not have keeps the mode of a lower one',
    [new Layer().directory('a', 0o700).file('a/old'), new Layer().opaque('a')],
    { a: 'directory 700' },
  ],
  [
    'a file replaces a directory, and a directory a file',
    [
      new Layer().directory('a').file('a/x').file('b', 'b'),
      new Layer().file('a', 'now a file').directory('b').file('b/x', 'x'),
    ],
    { a: 'file 644 now a file', b: 'directory 755', 'b/x': 'file 644 x' },
  ],
  [
    'what was a directory, then a file, then a directory has nothing of the first',
    [
      new Layer().directory('a').file('a/first'),
      new Layer().file('a', 'file'),
      new Layer().directory('a').file('a/last', 'l'),
    ],
    { a: 'directory 755', 'a/last': 'file 644 l' },
  ],
  [
    'a symbolic link is replaced by a directory of the same name',
    [
      new Layer().directory('usr').directory('usr/lib').symlink('lib', 'usr/lib'),
      new Layer().directory('lib').file('lib/x', 'x'),
    ],
    { usr: 'directory 755', 'usr/lib': 'directory 755', lib: 'directory 755', 'lib/x': 'file 644 x' },
  ],
  [
    'a member without its directory goes through the symbolic link of a lower layer',
    [new Layer().directory('usr').directory('usr/lib').symlink('lib', 'usr/lib'), new Layer().file('lib/x', 'x')],
    { usr: 'directory 755', 'usr/lib': 'directory 755', 'usr/lib/x': 'file 644 x', lib: 'link usr/lib' },
  ],
  [
    'so does a whiteout',
    [
      new Layer().directory('usr').directory('usr/lib').file('usr/lib/x').symlink('lib', 'usr/lib'),
      new Layer().whiteout('lib/x'),
    ],
    { usr: 'directory 755', 'usr/lib': 'directory 755', lib: 'link usr/lib' },
  ],
  [
    'an absolute link leads to the rootfs, not the host',
    [new Layer().directory('etc').symlink('e', '/etc').file('e/inside', 'x')],
    { 'etc/inside': 'file 644 x', e: 'link /etc' },
  ],
  [
    'hard links within a layer',
    [new Layer().file('a', 'x').hardlink('b', 'a').hardlink('c', './b')],
    { a: 'file 644 x', b: '= a', c: '= b' },
  ],
  [
    'a hard link to a file of a lower layer',
    [new Layer().file('a', 'x'), new Layer().hardlink('b', 'a')],
    { a: 'file 644 x', b: '= a' },
  ],
  [
    'a hard link keeps what a higher layer replaces or removes',
    [
      new Layer().file('a', 'old').hardlink('b', 'a').file('c', 'gone').hardlink('d', 'c'),
      new Layer().file('a', 'new').whiteout('c'),
    ],
    { a: 'file 644 new', b: 'file 644 old', d: 'file 644 gone' },
  ],
  [
    'a chain of hard links over three layers',
    [new Layer().file('a', 'x'), new Layer().hardlink('b', 'a'), new Layer().hardlink('c', 'b')],
    { a: 'file 644 x', b: '= a', c: '= b' },
  ],
  [
    'a hard link to a symbolic link is one, not to its target',
    [new Layer().symlink('s', 'nowhere').hardlink('z', 's')],
    { s: 'link nowhere', z: '= s' },
  ],
  [
    'the last of two members with one name counts',
    [
      new Layer()
        .file('a', 'first')
        .file('a', 'second')
        .file('b', 'x')
        .symlink('b', 'a')
        .directory('c')
        .file('c/x')
        .file('c', 'file'),
    ],
    { a: 'file 644 second', b: 'link a', c: 'file 644 file' },
  ],
  ['a hard link to itself is no harm', [new Layer().file('a', 'x').hardlink('a', 'a')], { a: 'file 644 x' }],
  [
    'directories may come after what is in them',
    [new Layer().file('d/x', 'x').directory('d', 0o700)],
    { d: 'directory 700', 'd/x': 'file 644 x' },
  ],
  [
    'directories that nobody mentions are made',
    [new Layer().file('a/b/c', 'x')],
    { a: 'directory 755', 'a/b': 'directory 755', 'a/b/c': 'file 644 x' },
  ],
  [
    'what AUFS left behind is passed over',
    [new Layer().directory('.wh..wh.plnk').file('.wh..wh.plnk/1.2').file('.wh..wh.aufs').file('a', 'x')],
    { a: 'file 644 x' },
  ],
  [
    'a directory is removed and made anew in a higher layer',
    [
      new Layer().directory('a', 0o700).file('a/x').file('a/y', 'low'),
      new Layer().whiteout('a'),
      new Layer().directory('a').file('a/y', 'high'),
    ],
    { a: 'directory 755', 'a/y': 'file 644 high' },
  ],
];

for (const [name, layers, tree] of cases) {
  test(name, async () => assert.deepEqual((await unpackAll(layers)).tree, tree));
}

test('layers from the top down give what they give from the bottom up', async () => {
  // Layers at random over few names, so that they meet.
  let succeeded = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const random = makeRandom(seed);
    const layers = Array.from({ length: 2 + (random() % 3) }, () => makeLayer(random));
    const down = await describe(async () => (await unpackAll(layers)).tree);
    const up = await describe(async () => unpackUpwards(layers));
    // Nonsense that a higher layer hides is never looked at from the top.
    if (up === 'image/invalid-layer') continue;
    assert.deepEqual(down, up, `seed ${seed}`);
    succeeded++;
  }
  assert.ok(succeeded > 20, `only ${succeeded} of the random images are valid`);
});

/** The tree, or the code of the failure. */
async function describe(unpack: () => Promise<Record<string, string>>): Promise<Record<string, string> | string> {
  try {
    return await unpack();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** A layer over the paths a..c/a..c/a..c; with directories first, as tools write it, or without them. */
function makeLayer(random: () => number): Layer {
  const layer = new Layer();
  const mentioned = new Set<string>();
  const isSloppy = random() % 3 === 0;
  const name = () => 'abc'[random() % 3] as string;
  for (let i = 0; i < 1 + (random() % 6); i++) {
    const parts = Array.from({ length: 1 + (random() % 3) }, name);
    for (let depth = 1; depth < parts.length && !isSloppy; depth++) {
      const parent = parts.slice(0, depth).join('/');
      if (!mentioned.has(parent)) layer.directory(parent);
      mentioned.add(parent);
    }
    const path = parts.join('/');
    if (mentioned.has(path)) continue;
    mentioned.add(path);
    const kind = random() % 10;
    if (kind < 4) layer.file(path, `${random()}`);
    else if (kind < 6) layer.directory(path, 0o750);
    else if (kind < 7) layer.symlink(path, random() % 2 ? name() : `/${name()}/${name()}`);
    else if (kind < 9) layer.whiteout(path);
    else layer.opaque(path);
  }
  return layer;
}

test('a layer of 40,000 removals costs each path once, from the bottom up', () => {
  let looks = 0;
  class CountingWriter extends RootfsWriter {
    override listDirectory(path: string): string[] {
      const names = super.listDirectory(path);
      looks += 1 + names.length;
      return names;
    }
    override findKind(path: string): ReturnType<RootfsWriter['findKind']> {
      looks++;
      return super.findKind(path);
    }
  }
  const count = 10_000;
  const [lower, upper] = [new Layer(), new Layer()];
  for (let i = 0; i < count; i++) lower.directory(`d${i}`).add({ name: `d${i}/fifo`, type: '6' });
  for (let i = 0; i < count; i++) upper.whiteout(`d${i}`);
  for (let i = 0; i < count; i++) upper.file(`new/${i}`).opaque('new').whiteout('new');
  const tree = unpackUpwards([lower, upper], {
    maximumEntries: 1e6,
    makeWriter: folder => new CountingWriter(folder),
  });
  assert.equal(Object.keys(tree).length, count + 1);
  assert.ok(looks < 4 * count, `${looks} looks`);
});
