// Images that a store keeps as archives: unpacked once on each node, the same as those kept as files.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pruneStore, removeImage } from '#image/housekeeping.ts';
import { importImage } from '#image/import.ts';
import { removeTree } from '#image/remove-tree.ts';
import { openStore, type Store } from '#image/store.ts';
import { hasCode } from '../support/failures.ts';
import { Layer } from '../support/tar.ts';
import { readTree } from './rootfs.ts';

const long = 'n'.repeat(120);
const layer = new Layer()
  .directory('bin', 0o555)
  .file('bin/tool', '#!/bin/sh\n', 0o755)
  .hardlink('bin/same', 'bin/tool')
  .add({ name: 'bin/link', type: '2', mode: 0o777, pax: { linkpath: `../${long}/${long}` } })
  .directory('closed', 0o000)
  .file('closed/secret', 'x'.repeat(5000), 0o000)
  .add({ name: 'x/', type: '5', mode: 0o755, pax: { path: `${long}/` } })
  .add({ name: 'x', data: 'deep', pax: { path: `${long}/${long}` } })
  .file(Buffer.from([0x66, 0xfc, 0xff]), 'no UTF-8')
  .add({ name: 'pipe', type: '6', mode: 0o640 })
  .file('sticky', '', 0o600, { mtime: 1_000_000_000 });

test('a rootfs out of an archive is the same as one that was kept as files', async context => {
  const { folder, archive } = setUp(context);
  const files = await importImage(archive, { store: openStore(join(folder, 'files')), reference: 'x' });
  const first = openPacked(folder, 'node-1');
  const made = await importImage(archive, { store: first, reference: 'x' });
  const shared = join(folder, 'packed', 'rootfs', 'v1', made.digest.slice('sha256:'.length));
  assert.deepEqual(readdirSync(shared).sort(), ['image.json', 'root.tar.zst']);
  assert.ok(made.rootfs.startsWith(join(folder, 'node-1')));
  assert.deepEqual(readTree(made.rootfs), readTree(files.rootfs));

  const second = openPacked(folder, 'node-2');
  const again = await importImage(archive, { store: second, reference: 'x' });
  assert.ok(again.rootfs.startsWith(join(folder, 'node-2')));
  assert.deepEqual(readTree(again.rootfs), readTree(files.rootfs));
  const { ino } = statSync(again.rootfs);
  assert.equal(statSync((await importImage(archive, { store: second, reference: 'x' })).rootfs).ino, ino);
});

test('several that unpack at once all get it, and nothing half-made is left', async context => {
  const { folder, archive } = setUp(context);
  await importImage(archive, { store: openPacked(folder, 'node-1'), reference: 'x' });
  const stores = Array.from({ length: 6 }, () => openPacked(folder, 'node-2'));
  const images = await Promise.all(stores.map(store => importImage(archive, { store, reference: 'x' })));
  assert.equal(new Set(images.map(image => image.rootfs)).size, 1);
  assert.deepEqual(readdirSync(join(folder, 'node-2', 'temporary')), []);
  assert.deepEqual(readdirSync(join(folder, 'packed', 'temporary')), []);
});

test('an archive that is damaged is found out, and the node keeps nothing of it', async context => {
  const { folder, archive } = setUp(context);
  const { digest } = await importImage(archive, { store: openPacked(folder, 'node-1'), reference: 'x' });
  const packed = join(folder, 'packed', 'rootfs', 'v1', digest.slice('sha256:'.length), 'root.tar.zst');
  const bytes = readFileSync(packed);
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(changed.length - 20) ^ 1, changed.length - 20);
  for (const wrong of [bytes.subarray(0, bytes.length - 20), changed]) {
    writeFileSync(packed, wrong);
    const damaged = importImage(archive, { store: openPacked(folder, 'node-2'), reference: 'x' });
    await assert.rejects(damaged, hasCode('image/invalid-layer'));
    assert.deepEqual(readdirSync(join(folder, 'node-2', 'rootfs')), []);
    assert.deepEqual(readdirSync(join(folder, 'node-2', 'temporary')), []);
  }
});

test('removing and pruning take the archive and the rootfs of this node', async context => {
  const { folder, archive } = setUp(context);
  const store = openPacked(folder, 'node-1');
  const { rootfs } = await importImage(archive, { store, reference: 'x' });
  assert.deepEqual(pruneStore(store).images, []);
  const [stored] = store.list();
  assert.ok(stored && existsSync(rootfs));
  removeImage(store, stored);
  assert.ok(!existsSync(rootfs));
  assert.deepEqual(readdirSync(join(folder, 'packed', 'rootfs', 'v1')), []);
});

test('a folder of a node that is not this user’s alone is closed to others, or not used', async context => {
  const { folder, archive } = setUp(context);
  mkdirSync(join(folder, 'node-1'));
  chmodSync(join(folder, 'node-1'), 0o777);
  await importImage(archive, { store: openPacked(folder, 'node-1'), reference: 'x' });
  assert.equal(statSync(join(folder, 'node-1')).mode & 0o777, 0o700);
  writeFileSync(join(folder, 'node-2'), 'a file');
  await assert.rejects(
    importImage(archive, { store: openPacked(folder, 'node-2'), reference: 'x' }),
    hasCode('image/not-own'),
  );
});

function setUp(context: TestContext): { folder: string; archive: string } {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-packed-'));
  context.after(() => removeTree(folder));
  const archive = join(folder, 'rootfs.tar');
  writeFileSync(archive, layer.toBuffer());
  return { folder, archive };
}

function openPacked(folder: string, node: string): Store {
  return openStore(join(folder, 'packed'), { isPacking: true, localDisk: join(folder, node) });
}
