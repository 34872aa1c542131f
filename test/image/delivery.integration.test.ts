// What another machine brings becomes an image; what does not fit together becomes nothing.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { deliverImage, findWantedBlobs, isAtHand, publishUpload } from '#image/delivery.ts';
import { pruneStore, removeImage } from '#image/housekeeping.ts';
import { pullImage } from '#image/pull.ts';
import { openStore, type Store } from '#image/store.ts';
import { parseManifest } from '#registry/manifest.ts';
import { findHostPlatform } from '#registry/platform.ts';
import { hasCode } from '../support/failures.ts';
import { buildImage, type TestImage } from '../support/images.ts';
import { Layer } from '../support/tar.ts';

const platform = findHostPlatform();
const reference = 'registry.example.org/tools/x:1';
const image = buildImage({ layers: [new Layer().file('a', 'low'), new Layer().file('b', 'high')] });

test('layers that arrive become a rootfs when it is first asked for, and nobody else is', async context => {
  const store = makeStore(context);
  const wanted = findWantedBlobs(store, image.digest, layersOf(image), 'me');
  assert.equal(wanted.length, 2);
  await upload(store, image);
  assert.deepEqual(findWantedBlobs(store, image.digest, layersOf(image), 'me'), []);
  deliver(store, image);
  assert.ok(isAtHand(store, reference, platform));
  const pulled = await pullImage(reference, { store, policy: 'never' });
  assert.equal(pulled.digest, image.digest);
  assert.ok(existsSync(join(pulled.rootfs, 'a')) && existsSync(join(pulled.rootfs, 'b')));
  assert.deepEqual(readdirSync(join(store.folder, 'temporary')), []);
});

test('prune keeps what was delivered and not yet used, with --all it goes; and what is used goes with its image', async context => {
  const store = makeStore(context);
  await upload(store, image);
  deliver(store, image);
  assert.equal(pruneStore(store).layers, 0);
  assert.ok(isAtHand(store, reference, platform));
  pruneStore(store, true);
  assert.ok(!isAtHand(store, reference, platform));
  assert.deepEqual(readdirSync(join(store.folder, 'blobs', 'sha256')), []);
  assert.deepEqual(readdirSync(join(store.folder, 'references')), []);

  await upload(store, image);
  deliver(store, image);
  await pullImage(reference, { store, policy: 'never' });
  const [stored] = store.list();
  assert.ok(stored);
  removeImage(store, stored);
  assert.deepEqual(readdirSync(join(store.folder, 'blobs', 'sha256')), []);
});

test('an upload of another digest is removed, and one that never came is said to be missing', async context => {
  const store = makeStore(context);
  const [first] = findWantedBlobs(store, image.digest, layersOf(image), 'me');
  assert.ok(first);
  await assert.rejects(publishUpload(store, first.digest, 'me'), hasCode('image/not-delivered'));
  writeFileSync(first.path, image.blobs.get(first.digest) as Buffer);
  appendFileSync(first.path, 'more');
  await assert.rejects(publishUpload(store, first.digest, 'me'), hasCode('image/digest-mismatch'));
  assert.ok(!existsSync(first.path) && !store.hasBlob(first.digest));
  assert.throws(() => findWantedBlobs(store, image.digest, ['sha256:../../x'], 'me'), hasCode('image/invalid-digest'));
});

test('an image is named only if all of it is there and fits together', async context => {
  const store = makeStore(context);
  assert.throws(() => deliver(store, image), hasCode('image/not-delivered'));
  await upload(store, image);
  const { manifest } = image;
  const configuration = Buffer.from('{}');
  assert.throws(
    () => deliverImage(store, { reference, platform, manifest, configuration }),
    hasCode('image/digest-mismatch'),
  );
  const foreign = buildImage({ layers: [], architecture: 'sparc' });
  assert.throws(() => deliver(store, foreign), hasCode('image/no-platform'));
  assert.deepEqual(readdirSync(join(store.folder, 'references')), []);
});

test('a layer that was damaged in the store is found out, and is wanted again', async context => {
  const store = makeStore(context);
  await upload(store, image);
  deliver(store, image);
  const [low] = layersOf(image);
  const path = store.blobPath(low as string);
  writeFileSync(path, Buffer.alloc(statSync(path).size));
  await assert.rejects(pullImage(reference, { store, policy: 'never' }), hasCode('image/invalid-layer'));
  assert.ok(!isAtHand(store, reference, platform));
  assert.ok(findWantedBlobs(store, image.digest, layersOf(image), 'me').length > 0);
});

function makeStore(context: TestContext): Store {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-delivery-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return openStore(folder);
}

function layersOf({ manifest }: TestImage): string[] {
  const parsed = parseManifest(manifest, 'test');
  return parsed.kind === 'manifest' ? parsed.layers.map(layer => layer.digest) : [];
}

async function upload(store: Store, { digest, blobs, manifest }: TestImage): Promise<void> {
  for (const wanted of findWantedBlobs(store, digest, layersOf({ manifest } as TestImage), 'me')) {
    writeFileSync(wanted.path, blobs.get(wanted.digest) as Buffer);
    await publishUpload(store, wanted.digest, 'me');
  }
}

function deliver(store: Store, { manifest, blobs }: TestImage): void {
  const parsed = parseManifest(manifest, 'test');
  assert.equal(parsed.kind, 'manifest');
  const configuration = blobs.get(parsed.kind === 'manifest' ? parsed.config.digest : '') as Buffer;
  deliverImage(store, { reference, platform, manifest, configuration });
}
