// Images of random layers, unpacked by the helper as an unprivileged user, beside what umoci makes of the same.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { removeTree } from '#image/remove-tree.ts';
import { installHelper } from '../support/helper.ts';
import { buildImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';
import { makeRandom } from '../support/random.ts';
import { makeLayer, makeWildLayer } from './random-layers.ts';
import { readTree } from './rootfs.ts';

const skip = isRoot ? undefined : 'installing umoci and making files of another user need root';
const images = Number(process.env.RANDOM_IMAGES ?? 300);
const firstSeed = Number(process.env.RANDOM_SEED ?? 1);

test(`${images} images of random layers are what umoci makes of them, from seed ${firstSeed}`, { skip }, async () => {
  needPackages('umoci');
  const helper = await installHelper(findUser());
  let compared = 0;
  try {
    for (let seed = firstSeed; seed < firstSeed + images; seed++) {
      const random = makeRandom(seed);
      const isWild = seed % 2 === 0;
      const known: string[] = [];
      const layers = Array.from({ length: 1 + (random() % 4) }, () =>
        isWild ? makeWildLayer(random, known, helper.folder) : makeLayer(random),
      );
      const before = readdirSync(helper.folder);
      const layout = join(helper.folder, `layout-${seed}`);
      writeLayout(layout, { latest: buildImage({ layers }) });
      const store = join(helper.folder, `store-${seed}`);
      const bundle = join(helper.folder, `bundle-${seed}`);
      const [ours, theirs] = await Promise.all([
        helper.run(['image', 'load', layout, '--image-store', store, '--json']),
        runAs(helper.user, 'umoci', ['unpack', '--rootless', '--image', `${layout}:latest`, bundle]),
      ]);
      const own = /^[abc](\/|$)/;
      const isOwn = (path: string) => own.test(path);
      if (theirs.code === 0) {
        assert.equal(ours.code, 0, `seed ${seed}: ${ours.stderr}`);
        const tree = readTree(JSON.parse(ours.stdout)[0].rootfs, isOwn);
        assert.deepEqual(tree, readTree(join(bundle, 'rootfs'), isOwn), `seed ${seed}`);
        compared++;
      } else {
        // Nonsense that a higher layer hides is never looked at from the top, so ours may be fine.
        assert.ok(isWild, `seed ${seed}: ${theirs.stderr}`);
        if (ours.code !== 0) assert.match(ours.stderr, /a layer of the image is not usable/, `seed ${seed}`);
      }
      const made = [layout, store, bundle].map(path => basename(path));
      // The programs may make the user's home.
      const more = readdirSync(helper.folder).filter(name => ![...before, ...made, 'home'].includes(name));
      assert.deepEqual(more, [], `seed ${seed}: nothing is written outside`);
      for (const path of [layout, store, bundle]) removeTree(path);
    }
    assert.ok(compared > images * 0.6, `umoci takes only ${compared}`);
  } finally {
    helper.remove();
  }
});
