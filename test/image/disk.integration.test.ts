// A disk that is full, or has no inodes left: one message, and nothing half-made takes the rest of it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, type TestImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, run } from '../support/machine.ts';
import { noRegistry, pushImage, startRegistry } from '../support/registry.ts';
import { Layer } from '../support/tar.ts';

const skip = noRegistry ?? (isRoot ? undefined : 'mounting a small disk needs root');
let helper: InstalledHelper;

before(async () => {
  if (!skip) helper = await installHelper(findUser());
});
after(() => helper?.remove());

/** Runs with a file system of that size and unmounts it again. */
async function withDisk(options: string, use: (store: string) => Promise<void>): Promise<void> {
  const folder = join(helper.folder, `disk-${options.replace(/\W/g, '-')}`);
  mkdirSync(folder);
  run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  try {
    chownSync(folder, helper.user.uid, helper.user.gid);
    await use(join(folder, 'store'));
  } finally {
    spawnSync('umount', [folder]);
  }
}

function listLeftovers(store: string): string[] {
  return ['temporary', 'rootfs/v1', 'references'].flatMap(name => readdirSync(join(store, name)));
}

async function load(image: TestImage, store: string) {
  const layout = `${join(helper.folder, 'layout')}-${readdirSync(helper.folder).length}`;
  writeLayout(layout, { latest: image });
  const result = await helper.run(['image', 'load', layout, '--image-store', store]);
  assert.equal(result.code, 1, result.stdout);
  assert.deepEqual(listLeftovers(store), []);
  return result.stderr;
}

test('full while it unpacks', { skip }, async () => {
  const tar = new Layer().file('zeros', Buffer.alloc(200 << 20)).toBuffer();
  await withDisk('size=100m', async store =>
    assert.match(
      await load(buildImage({ layers: [tar] }), store),
      /the disk of .*\/store is full: .*\nFree some space/,
    ),
  );
});

test('an archive that does not fit is not begun', { skip }, async () => {
  const noise = Buffer.alloc(20 << 20, 1).map((_, i) => (Math.imul(i, 2654435761) >>> 13) & 255);
  await withDisk('size=12m', async store => {
    const image = buildImage({ layers: [new Layer().file('noise', Buffer.from(noise))], compression: 'none' });
    assert.match(await load(image, store), /the image needs at least .* and .* has .* left\nFree some space/);
  });
});

test('no inodes left', { skip }, async () => {
  const layer = new Layer();
  for (let i = 0; i < 3000; i++) layer.file(`f${i}`);
  await withDisk('size=200m,nr_inodes=2000', async store => {
    assert.match(await load(buildImage({ layers: [layer] }), store), /is full: no inodes are left/);
  });
});

test('too small from the beginning: nothing is fetched', { skip }, async () => {
  const registry = await startRegistry();
  try {
    const noise = Buffer.alloc(8 << 20, 1).map((_, i) => (Math.imul(i, 2654435761) >>> 13) & 255);
    await pushImage(
      registry,
      'library/big:1',
      buildImage({ layers: [new Layer().file('noise', Buffer.from(noise))], compression: 'none' }),
    );
    await withDisk('size=10m', async store => {
      const result = await helper.run([
        'image',
        'pull',
        'big:1',
        '--image-store',
        store,
        '--mirror',
        `docker.io=${registry.url}`,
      ]);
      assert.equal(result.code, 1);
      assert.match(result.stderr, /needs at least 17 MB, and .* has \d+ MB left/);
      assert.deepEqual([...listLeftovers(store), ...readdirSync(join(store, 'blobs/sha256'))], []);
    });
  } finally {
    await registry.stop();
  }
});

test('a store that cannot be written to', { skip }, async () => {
  const result = await helper.run(['image', 'list', '--image-store', '/proc/nowhere/store']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /can't be written to/);
});
