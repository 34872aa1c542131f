// Archives of several images, of old tools and in every compression, loaded by the helper.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { loadImage } from '#image/load.ts';
import { openStore } from '#image/store.ts';
import { buildImage, buildIndex, digestOf, hostArchitecture, type TestImage, writeLayout } from '../support/images.ts';
import { needPackages } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { helper, makeLoader } from './loader.ts';

const loader = makeLoader();
const { folder, run } = loader;
after(() => loader.remove());
let count = 0;

const compressors: Record<string, (data: Buffer) => Buffer> = {
  gzip: data => gzipSync(data),
  zstd: data => zstdCompressSync(data),
  xz: data => compress('xz', 'xz-utils', data),
  bzip2: data => compress('bzip2', 'bzip2', data),
};

function compress(program: string, name: string, input: Buffer): Buffer {
  needPackages(name);
  return execFileSync(program, ['-c'], { input, maxBuffer: 1 << 26 });
}

const idOf = (letter: string) => letter.repeat(64);
const base = new Layer().file('base', 'base').file('gone', 'x').toBuffer();
const upper = new Layer().file('upper', 'upper').whiteout('gone').toBuffer();
const other = new Layer().file('other', 'other').toBuffer();
const baseTree = { base: 'file 644 base', gone: 'file 644 x' };
const upperTree = { base: 'file 644 base', upper: 'file 644 upper' };
const otherTree = { ...baseTree, other: 'file 644 other' };

/** As Docker 1.9 and before wrote it (moby, image/spec/v1.md). */
function legacy(images: Record<string, { parent?: string; layer?: Buffer; json?: string }>, repositories?: unknown) {
  const archive = new Layer();
  for (const [id, { parent, layer, json }] of Object.entries(images)) {
    const facts = { id, parent, os: 'linux', architecture: hostArchitecture, config: { Cmd: ['sh'], Env: ['A=b'] } };
    archive.directory(id).file(`${id}/VERSION`, '1.0');
    archive.file(`${id}/json`, json ?? JSON.stringify(facts));
    if (layer) archive.file(`${id}/layer.tar`, layer);
  }
  if (repositories !== undefined) archive.file('repositories', JSON.stringify(repositories));
  return archive;
}

const three = {
  [idOf('a')]: { layer: base },
  [idOf('b')]: { parent: idOf('a'), layer: upper },
  [idOf('c')]: { parent: idOf('a'), layer: other },
};
const repositories = { 'my/tool': { '1': idOf('b'), latest: idOf('b') }, more: { '2': idOf('c') } };

test('docker save of before Docker 1.10: names, parents, and what the image says of itself', () => {
  const archive = legacy(three, repositories).toBuffer();
  const store = join(folder, 'legacy');
  const first = run(['load', '-'], archive, store);
  assert.equal(first.code, 0, first.stderr);
  assert.deepEqual([first.reference, first.tree], ['docker.io/my/tool:1', upperTree]);
  assert.deepEqual(first.config, { env: { A: 'b' }, entrypoint: [], command: ['sh'], architecture: hostArchitecture });
  const second = run(['load', '-', '--name', 'more:2'], archive, store);
  assert.deepEqual(second.tree, otherTree);
  const listed = execFileSync(process.execPath, [helper, 'image', 'list', '--image-store', store, '--json']);
  const references = JSON.parse(String(listed)).flatMap((each: { references: { reference: string }[] }) =>
    each.references.map(({ reference }) => reference),
  );
  assert.deepEqual(references.sort(), ['docker.io/library/more:2', 'docker.io/my/tool:1', 'docker.io/my/tool:latest']);
  const none = run(['load', '-', '--name', 'more:3'], archive);
  assert.match(none.stderr, /no image more:3\nIt has my\/tool:1, my\/tool:latest, more:2\./);
});

test('docker save of before Docker 1.10 by id, and with an empty layer', () => {
  const only = { [idOf('a')]: { layer: base }, [idOf('b')]: { parent: idOf('a'), layer: Buffer.alloc(1024) } };
  const loaded = run(['load', '-', '--name', 'mine'], legacy(only).toBuffer());
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(loaded.tree, baseTree);
  const several = run(['load', '-', '--name', 'mine'], legacy(three).toBuffer());
  assert.match(several.stderr, /standard input has no image mine\nIt has none with a name\./);
});

test('docker save of before Docker 1.10, unpacked and in a folder', () => {
  const unpacked = join(folder, 'unpacked');
  execFileSync('mkdir', [unpacked]);
  execFileSync('tar', ['-x', '-C', unpacked], { input: legacy(three, repositories).toBuffer() });
  for (const names of [[], ['repositories']]) {
    for (const name of names) execFileSync('rm', [join(unpacked, name)]);
    const loaded = run(['load', unpacked]);
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.deepEqual(loaded.tree, upperTree);
  }
});

const brokenLegacy: [string, Layer, RegExp][] = [
  ['a parent that is missing', legacy({ [idOf('b')]: { parent: idOf('a'), layer: upper } }), /lacks the image a{64}/],
  [
    'parents in a circle',
    legacy({ [idOf('a')]: { parent: idOf('a'), layer: base } }, { x: { y: idOf('a') } }),
    /more than 1000 parents/,
  ],
  [
    'a parent that climbs out',
    legacy({ [idOf('a')]: { parent: '../../etc', layer: base } }),
    /"\.\.\/\.\.\/etc" is not the name of an image/,
  ],
  ['a layer that is missing', legacy({ [idOf('a')]: {} }), /lacks the layer a{64}\/layer\.tar/],
  ['no JSON', legacy({ [idOf('a')]: { layer: base, json: '{' } }), /a{64}\/json of standard input is no JSON object/],
  ['an odd name', legacy(three, { x: { y: 'latest' } }), /"latest" is not the name of an image/],
  ['null', legacy(three, null), /repositories of standard input is no JSON object/],
];

for (const [name, archive, message] of brokenLegacy) {
  test(`docker save of before Docker 1.10 with ${name}`, () => {
    const loaded = run(['load', '-'], archive.toBuffer());
    assert.equal(loaded.code, 1);
    assert.match(loaded.stderr, message);
    assert.doesNotMatch(loaded.stderr, /fault in the helper/);
  });
}

function save(layers: Buffer[], plain: Buffer[], names: string[]): Layer {
  const rootfs = { type: 'layers', diff_ids: plain.map(digestOf) };
  const archive = new Layer().file('c.json', JSON.stringify({ architecture: hostArchitecture, os: 'linux', rootfs }));
  for (const [i, layer] of layers.entries()) archive.file(`${i}/layer.tar`, layer);
  const Layers = layers.map((_, i) => `${i}/layer.tar`);
  return archive.file('manifest.json', JSON.stringify([{ Config: 'c.json', RepoTags: names, Layers }]));
}

for (const [name, pack] of Object.entries(compressors)) {
  test(`archives and layers in ${name}`, () => {
    const layered = save([pack(base), pack(upper)], [base, upper], ['t:1', 't:2']);
    for (const archive of [
      layered.toBuffer(),
      pack(layered.toBuffer()),
      pack(legacy(three, repositories).toBuffer()),
    ]) {
      const loaded = run(['load', '-'], archive);
      assert.equal(loaded.code, 0, loaded.stderr);
      assert.deepEqual(loaded.tree, upperTree);
    }
    const second = run(['load', '-', '--name', 't:2'], layered.toBuffer());
    assert.equal(second.reference, 'docker.io/library/t:2');
    const layout = join(folder, `layout${count++}`);
    const diffIds = [digestOf(base), digestOf(upper)];
    const image = buildImage({ layers: [pack(base), pack(upper)], compression: 'none', diffIds });
    writeLayout(layout, { latest: image });
    assert.deepEqual(run(['load', layout]).tree, upperTree);
    assert.deepEqual(run(['import', '-'], pack(base)).tree, baseTree);
  });
}

/** Without what `index.json` need not say: platforms. */
function strip(layout: string): void {
  const path = join(layout, 'index.json');
  const index = JSON.parse(readFileSync(path, 'utf8'));
  for (const each of index.manifests) delete each.platform;
  writeFileSync(path, JSON.stringify(index));
}

test('several tags, and indexes within indexes, with platforms or without', () => {
  const foreign = buildImage({ layers: [other], architecture: 's390x' });
  const mine = buildImage({ layers: [base, upper] });
  const bare = (image: TestImage): TestImage => ({ ...image, platform: undefined });
  const images = {
    one: buildImage({ layers: [base] }),
    two: buildIndex([foreign, mine]),
    three: buildIndex([bare(buildIndex([foreign])), bare(buildIndex([bare(foreign), bare(mine)], 'docker'))]),
  };
  const layout = join(folder, `layout${count++}`);
  writeLayout(layout, images);
  strip(layout);
  const expected = { one: baseTree, two: upperTree, three: upperTree };
  for (const [tag, tree] of Object.entries(expected)) {
    const loaded = run(['load', layout, '--name', `x:${tag}`]);
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.deepEqual(loaded.tree, tree, tag);
  }
  const wrong = run(['load', layout, '--name', 'x:two', '--platform', 'linux/riscv64']);
  assert.match(wrong.stderr, /no image for linux\/riscv64\nIt has linux\/s390x, linux\//);
  const deep = (depth: number): TestImage => (depth === 0 ? mine : bare(buildIndex([deep(depth - 1)])));
  const endless = join(folder, `layout${count++}`);
  writeLayout(endless, { deep: deep(12) });
  assert.match(run(['load', endless]).stderr, /an index of indexes without end/);
  const wide = join(folder, `layout${count++}`);
  const crowd = (image: TestImage) =>
    bare({ ...buildIndex(Array.from({ length: 200 }, () => image)), children: [image] });
  writeLayout(wide, { wide: crowd(crowd(crowd(bare(mine)))) });
  assert.match(run(['load', wide]).stderr, /an index of indexes without end/);
});

test('one block of zeros ends no archive, two do', () => {
  const zeros = Buffer.alloc(512);
  const layer = new Layer().file('a', 'a').raw(zeros).file('b', 'b').toBuffer();
  const tree = { a: 'file 644 a', b: 'file 644 b' };
  assert.deepEqual(run(['import', '-'], layer).tree, tree);
  assert.deepEqual(run(['import', '-'], Buffer.concat([layer, base])).tree, tree);
  const whole = save([layer], [layer], ['t']).toBuffer();
  const first = 512 * (1 + Math.ceil(Number.parseInt(whole.toString('latin1', 124, 135), 8) / 512));
  const split = Buffer.concat([
    whole.subarray(0, first),
    zeros,
    whole.subarray(first),
    save([other], [other], ['u']).toBuffer(),
  ]);
  const loaded = run(['load', '-'], split);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(loaded.tree, tree);
});

test('an archive that is a zip bomb is stopped', async () => {
  const bomb = gzipSync(new Layer().file('zeros', Buffer.alloc(64 << 20)).toBuffer(), { level: 9 });
  const path = join(folder, 'bomb.tar.gz');
  writeFileSync(path, bomb);
  const store = openStore(join(folder, 'bombed'));
  await assert.rejects(
    loadImage(path, { store, limits: { bytes: 1 << 20, ratio: 100 } }),
    /the archive unpacks to more/,
  );
});
