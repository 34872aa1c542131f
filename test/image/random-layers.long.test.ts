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
import { Layer } from '../support/tar.ts';
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

/** Over the paths a..c/a..c/a..c, each directory before what is in it, as tools write layers. */
function makeLayer(random: () => number): Layer {
  const layer = new Layer();
  const directories = new Set<string>();
  const taken = new Set<string>();
  const files: string[] = [];
  const name = () => 'abc'[random() % 3] as string;
  const modes = [0o755, 0o700, 0o555, 0o500, 0o711];
  for (let i = 0; i < 1 + (random() % 10); i++) {
    const parts = Array.from({ length: 1 + (random() % 3) }, name);
    const parents = parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
    const path = parts.join('/');
    if (taken.has(path) || parents.some(parent => taken.has(parent) && !directories.has(parent))) continue;
    for (const parent of parents) {
      if (!directories.has(parent)) layer.directory(parent, modes[random() % modes.length]);
      directories.add(parent);
      taken.add(parent);
    }
    taken.add(path);
    const kind = random() % 10;
    if (kind < 4) {
      layer.file(path, `${random()}`, [0o644, 0o400, 0, 0o755][random() % 4]);
      files.push(path);
    } else if (kind < 6) {
      layer.directory(path, modes[random() % modes.length]);
      directories.add(path);
    } else if (kind < 7) layer.symlink(path, random() % 2 ? name() : `/${name()}/../../${name()}`);
    else if (kind < 8 && files.length > 0) layer.hardlink(path, files[random() % files.length] as string);
    else if (kind < 9) layer.whiteout(path);
    else if (parents.length > 0) layer.opaque(parents.at(-1) as string);
  }
  return layer;
}

/**
 * As no tool writes them: names come twice, children before their directories or without them, below files and through
 * links that lead in and out, hard links to whatever is `known` of this layer and the lower ones.
 */
function makeWildLayer(random: () => number, known: string[], outside: string): Layer {
  const layer = new Layer();
  const name = () => 'abc'[random() % 3] as string;
  const modes = [0o755, 0o700, 0o555, 0];
  for (let i = 0; i < 1 + (random() % 8); i++) {
    const parts = Array.from({ length: 1 + (random() % 3) }, name);
    const path = parts.join('/');
    const kind = random() % 12;
    if (kind < 4) layer.file(path, `${random()}`, modes[random() % 4]);
    else if (kind < 6) layer.directory(path, modes[random() % 4]);
    else if (kind < 8) {
      const targets = [name(), `/${name()}`, `../${name()}`, `/${name()}/../../${name()}`, `${'../'.repeat(9)}tmp`];
      layer.symlink(path, [...targets, outside][random() % 6] as string);
    } else if (kind < 10 && known.length > 0) layer.hardlink(path, known[random() % known.length] as string);
    else if (kind < 11) layer.whiteout(path);
    else layer.opaque(path);
    if (kind < 8) known.push(path);
  }
  return layer;
}
