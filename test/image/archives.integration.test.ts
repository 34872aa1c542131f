// Archives as the tools make them, and broken ones, loaded by the helper: from a file, a pipe and the standard input.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildImage, digestOf, writeLayout } from '../support/images.ts';
import { Layer } from '../support/tar.ts';
import { helper, makeLoader } from './loader.ts';

const loader = makeLoader();
const { folder, run } = loader;
after(() => loader.remove());

const layer = new Layer().file('hello', 'world').toBuffer();
const tree = { hello: 'file 644 world' };

function save(layers: Record<string, Buffer>, more: Record<string, unknown> = {}): Layer {
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: Object.keys(layers).map(() => digestOf(layer)) },
  });
  const archive = new Layer().file('config.json', config);
  for (const [name, data] of Object.entries(layers)) archive.file(name, data);
  const manifest = [{ Config: 'config.json', RepoTags: ['some/tool:1'], Layers: Object.keys(layers), ...more }];
  return archive.file('manifest.json', JSON.stringify(manifest));
}

const saved = save({ 'a/layer.tar': layer }).toBuffer();

test('docker save from the standard input and from a pipe, plain and gzip', () => {
  for (const archive of [saved, gzipSync(saved)]) {
    const loaded = run(['load', '-'], archive);
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.deepEqual([loaded.reference, loaded.tree], ['docker.io/some/tool:1', tree]);
  }
  const fifo = join(folder, 'pipe');
  execFileSync('mkfifo', [fifo]);
  const path = join(folder, 'piped.tar');
  writeFileSync(path, saved);
  const writer = spawnSync(
    'sh',
    ['-c', `cat ${path} > ${fifo} & exec "$@"`, 'sh', process.execPath, helper].concat([
      'image',
      'load',
      fifo,
      '--image-store',
      join(folder, 'fifo-store'),
      '--json',
    ]),
  );
  assert.equal(writer.status, 0, String(writer.stderr));
});

test('layers that are links with long names, behind global headers', () => {
  const name = `${'l'.repeat(90)}/${'m'.repeat(90)}/layer.tar`;
  const archive = new Layer().add({ name: 'pax_global_header', type: 'g', data: '' });
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  archive
    .file('config.json', config)
    .file(name, layer)
    .directory('b')
    .add({ name: '././@LongLink', type: 'K', data: `../${name}\0` })
    .symlink('b/layer.tar', 'short')
    .file('manifest.json', JSON.stringify([{ Config: 'config.json', RepoTags: null, Layers: ['b/layer.tar'] }]));
  const loaded = run(['load', '-', '--name', 'linked'], archive.toBuffer());
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(loaded.tree, tree);
});

test('a root file system from the standard input is known by its digest', () => {
  const loaded = run(['import', '-'], layer);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual([loaded.reference, loaded.tree], [digestOf(layer), tree]);
});

test('an OCI layout as a compressed tar', () => {
  const layout = join(folder, 'layout');
  mkdirSync(layout);
  writeLayout(layout, { one: buildImage({ layers: [layer], compression: 'zstd' }) });
  const archive = execFileSync('tar', ['-C', layout, '-cz', '.'], { maxBuffer: 1 << 24 });
  const loaded = run(['load', '-'], archive);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(loaded.tree, tree);
});

const broken: [string, () => Buffer, RegExp][] = [
  [
    'cut off',
    () => save({ 'z/layer.tar': layer }).toBuffer().subarray(0, 2048),
    /standard input can't be read: it is cut off/,
  ],
  [
    'cut off gzip',
    () => gzipSync(saved).subarray(0, -9),
    /standard input can't be read: gzip data is broken or cut off/,
  ],
  ['no archive', () => Buffer.alloc(4096, 'text'), /standard input can't be read: .*checksum/],
  ['empty', () => Buffer.alloc(0), /standard input is neither from/],
  ['no JSON', () => new Layer().file('manifest.json', '{').toBuffer(), /manifest.json of standard input is not JSON/],
  ['other JSON', () => new Layer().file('manifest.json', '[3]').toBuffer(), /not what `docker save` writes/],
  ['layers of numbers', () => save({}, { Layers: [1] }).toBuffer(), /not what `docker save` writes/],
  ['a layer that is missing', () => save({ a: layer }, { Layers: ['b'] }).toBuffer(), /lacks the layer b/],
  ['a layer of other content', () => save({ a: new Layer().file('x').toBuffer() }).toBuffer(), /digest/],
];

for (const [name, make, message] of broken) {
  test(`an archive that is ${name}: one message, nothing left`, () => {
    const loaded = run(['load', '-'], make());
    assert.equal(loaded.code, 1, loaded.stderr);
    assert.match(loaded.stderr, message);
    assert.doesNotMatch(loaded.stderr, /fault in the helper/);
  });
}
