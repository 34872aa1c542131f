// Images of random layers that share some, in one store: each is what it is in a store of its own, and what umoci makes.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeTree } from '#image/remove-tree.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';
import { makeRandom } from '../support/random.ts';
import type { Layer } from '../support/tar.ts';
import { makeLayer, makeWildLayer } from './random-layers.ts';
import { readTimes, readTree } from './rootfs.ts';

const skip = isRoot ? undefined : 'installing umoci and making files of another user need root';
const stores = Number(process.env.RANDOM_STORES ?? 120);
const firstSeed = Number(process.env.RANDOM_SEED ?? 1);

test(`${stores} stores of random images that share layers, from seed ${firstSeed}`, { skip }, async () => {
  needPackages('umoci');
  const helper = await installHelper(findUser());
  const sums = { compared: 0, withoutLayers: 0 };
  try {
    for (let seed = firstSeed; seed < firstSeed + stores; seed++) await tryStore(helper, seed, sums);
    assert.ok(sums.compared > stores * 1.5, `umoci takes only ${sums.compared}`);
    assert.ok(sums.withoutLayers > stores / 2, `only ${sums.withoutLayers} needed no layer of an earlier one`);
  } finally {
    helper.remove();
  }
});

/** Three images of the same layers and their own: one after the other in one store, and each alone. */
async function tryStore(helper: InstalledHelper, seed: number, sums: { compared: number; withoutLayers: number }) {
  const random = makeRandom(seed);
  const isWild = seed % 3 === 0;
  const known: string[] = [];
  const make = () => (isWild ? makeWildLayer(random, known, helper.folder) : makeLayer(random));
  const shared = Array.from({ length: 1 + (random() % 3) }, make);
  const folder = join(helper.folder, `seed-${seed}`);
  const store = join(folder, 'store');
  const before = readdirSync(helper.folder);
  await runAs(helper.user, 'mkdir', [folder]);
  for (let number = 0; number < 3; number++) {
    const layers = [...shared.slice(0, 1 + (random() % shared.length)), ...Array.from({ length: random() % 3 }, make)];
    const layout = join(folder, `layout-${number}`);
    writeLayout(layout, { latest: buildImage({ layers }) });
    const load = (where: string, from = layout) =>
      helper.run(['image', 'load', from, '--image-store', where, '--json', '--name', `x:${number}`]);
    const bundle = join(folder, `bundle-${number}`);
    // First from an archive that lacks what is shared: that the files suffice must be seen at times.
    const partial = join(folder, `partial-${number}`);
    writeLayout(partial, { latest: lackShared(layers, shared) });
    const first = number === 0 ? undefined : await load(store, partial);
    if (first?.code === 0) sums.withoutLayers++;
    else if (first) assert.match(first.stderr, /lacks the layer|a layer of the image is not usable/, `seed ${seed}`);
    const [ours, alone, theirs] = [
      first?.code === 0 ? first : await load(store),
      await load(join(folder, `alone-${number}`)),
      await runAs(helper.user, 'umoci', ['unpack', '--rootless', '--image', `${layout}:latest`, bundle]),
    ];
    assert.equal(ours.code, alone.code, `seed ${seed}, image ${number}: ${ours.stderr}${alone.stderr}`);
    if (ours.code !== 0) continue;
    const [rootfs, plain] = [ours, alone].map(each => JSON.parse(each.stdout)[0].rootfs as string) as [string, string];
    const message = `seed ${seed}, image ${number}`;
    assert.deepEqual(readTree(rootfs), readTree(plain), message);
    assert.deepEqual(await readTimes(rootfs), await readTimes(plain), message);
    if (theirs.code === 0) {
      const isOwn = (path: string) => /^[abc](\/|$)/.test(path);
      assert.deepEqual(readTree(rootfs, isOwn), readTree(join(bundle, 'rootfs'), isOwn), message);
      sums.compared++;
    }
    // Who takes from it later finds it, or does not.
    if (random() % 4 === 0)
      await helper.run(['image', 'remove', `x:${random() % (number + 1)}`, '--image-store', store]);
  }
  removeTree(folder);
  assert.deepEqual(
    readdirSync(helper.folder).filter(name => ![...before, 'home'].includes(name)),
    [],
    `seed ${seed}`,
  );
}

function lackShared(layers: readonly Layer[], shared: readonly Layer[]) {
  const image = buildImage({ layers: [...layers] });
  const { layers: listed } = JSON.parse(image.manifest.toString()) as { layers: { digest: string }[] };
  layers.forEach((layer, i) => {
    if (shared.includes(layer)) image.blobs.delete(listed[i]?.digest ?? '');
  });
  return image;
}
