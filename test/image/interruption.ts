// Killed at any point, or several at once: the store is never wrong.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, type TestImage } from '../support/images.ts';
import { environmentOf, findUser, isRoot, spawnAs } from '../support/machine.ts';
import { noRegistry, pushImage, type Registry, startRegistry } from '../support/registry.ts';
import { Layer } from '../support/tar.ts';
import { readTree } from './rootfs.ts';

const skip = noRegistry ?? (isRoot ? undefined : 'the pull runs as another user, which needs root');
const image = makeImage([0, 1, 2]);
/** Shares two layers with the other one. */
const relative = makeImage([0, 1, 4]);
let helper: InstalledHelper;
let registry: Registry;
let expected: Record<string, string>;

/** Some hundred files in three layers, some replaced and removed, so that a pull takes a moment. */
function makeImage(numbers: number[]): TestImage {
  const layers = numbers.map(number => {
    const layer = new Layer();
    for (let folder = 0; folder < 10; folder++) {
      layer.directory(`d${folder}`, folder % 2 ? 0o555 : 0o755);
      for (let file = 0; file < 30; file++) {
        const seed = number * 1000 + folder * 100 + file;
        layer.file(`d${folder}/${number % 2}-${file}`, createHash('sha512').update(`${seed}`).digest('hex').repeat(50));
      }
      if (number > 0) layer.whiteout(`d${folder}/${(number - 1) % 2}-7`);
    }
    return layer;
  });
  return buildImage({ layers });
}

function pull(store: string, name = 'tool:1'): { kill(): void; ended: Promise<number | null> } {
  const args = [helper.bundle, 'image', 'pull', name, '--image-store', join(helper.folder, store)];
  const child = spawnAs(helper.user, helper.node, [...args, '--mirror', `docker.io=${registry.url}`], {
    stdio: 'ignore',
    cwd: helper.folder,
    env: environmentOf(helper.user),
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('exit', resolve));
  return { kill: () => child.kill('SIGKILL'), ended };
}

function rootfsOf(store: string, { digest } = image): string | undefined {
  const path = join(helper.folder, store, 'rootfs', 'v1', digest.slice('sha256:'.length), 'root');
  return existsSync(path) ? path : undefined;
}

/** Whatever has its final name is complete. */
function checkStore(store: string): void {
  const blobs = join(helper.folder, store, 'blobs', 'sha256');
  for (const hex of existsSync(blobs) ? readdirSync(blobs) : []) {
    assert.equal(
      createHash('sha256')
        .update(readFileSync(join(blobs, hex)))
        .digest('hex'),
      hex,
    );
  }
  const rootfs = rootfsOf(store);
  if (rootfs) assert.deepEqual(readTree(rootfs), expected);
}

/** Registers the tests: so many kills, and so often several at once. */
export function testInterruptions(kills: number, times: number): void {
  before(async () => {
    if (skip) return;
    helper = await installHelper(findUser());
    registry = await startRegistry();
    await pushImage(registry, 'library/tool:1', image);
    assert.equal(await pull('reference').ended, 0);
    expected = readTree(rootfsOf('reference') as string);
    assert.ok(Object.keys(expected).length > 500);
  });
  after(async () => {
    await registry?.stop();
    helper?.remove();
  });

  test(`killed at ${kills} moments, a store is always right and the next pull succeeds`, { skip }, async () => {
    let whole = await measure(() => pull('timed').ended);
    let interrupted = 0;
    for (let i = 0; i < kills; i++) {
      const store = `killed${i % 5}`;
      const running = pull(store);
      await sleep((whole * i) / kills);
      running.kill();
      if ((await running.ended) === null) interrupted++;
      // The machine is less busy than when the time was taken.
      else whole *= 0.8;
      checkStore(store);
      // Every fifth begins with what four that were killed have left.
      if (i % 10 >= 5) await helper.run(['image', 'remove', 'tool:1', '--image-store', join(helper.folder, store)]);
    }
    assert.ok(interrupted > kills / 2, `only ${interrupted} were interrupted`);
    for (let i = 0; i < 5; i++) {
      assert.equal(await pull(`killed${i}`).ended, 0);
      assert.ok(rootfsOf(`killed${i}`));
      checkStore(`killed${i}`);
      const pruned = await helper.run(['image', 'prune', '--image-store', join(helper.folder, `killed${i}`)]);
      assert.equal(pruned.code, 0, pruned.stderr);
      assert.deepEqual(readdirSync(join(helper.folder, `killed${i}`, 'temporary')), [], 'nothing is left of the dead');
    }
  });

  test(`killed at ${kills} moments while it takes files from another image, both are always right`, {
    skip,
  }, async () => {
    await pushImage(registry, 'library/relative:1', relative);
    assert.equal(await pull('alone', 'relative:1').ended, 0);
    const alone = readTree(rootfsOf('alone', relative) as string);
    assert.equal(await pull('taking').ended, 0);
    const store = join(helper.folder, 'taking');
    let whole = await measure(() => pull('taking', 'relative:1').ended);
    let interrupted = 0;
    for (let i = 0; i < kills; i++) {
      await helper.run(['image', 'remove', 'relative:1', '--image-store', store]);
      const running = pull('taking', 'relative:1');
      await sleep((whole * i) / kills);
      running.kill();
      if ((await running.ended) === null) interrupted++;
      else whole *= 0.8;
      checkStore('taking');
      const rootfs = rootfsOf('taking', relative);
      if (rootfs) assert.deepEqual(readTree(rootfs), alone);
      // The other one goes as well at times, and comes back.
      if (i % 7 !== 6) continue;
      await helper.run(['image', 'remove', 'tool:1', '--image-store', store]);
      assert.equal(await pull('taking').ended, 0);
    }
    assert.ok(interrupted > kills / 2, `only ${interrupted} were interrupted`);
    assert.equal(await pull('taking', 'relative:1').ended, 0);
    assert.deepEqual(readTree(rootfsOf('taking', relative) as string), alone);
    await helper.run(['image', 'prune', '--image-store', store]);
    assert.deepEqual(readdirSync(join(store, 'temporary')), [], 'nothing is left of the dead');
  });

  test(`three at once, ${times} times: all succeed`, { skip }, async () => {
    for (let i = 0; i < times; i++) {
      const store = `shared${i}`;
      const codes = await Promise.all([pull(store), pull(store), pull(store)].map(each => each.ended));
      assert.deepEqual(codes, [0, 0, 0]);
      checkStore(store);
      assert.deepEqual(readdirSync(join(helper.folder, store, 'temporary')), []);
    }
  });

  test('SIGTERM leaves nothing half-made', { skip }, async () => {
    const store = join(helper.folder, 'terminated');
    const args = ['image', 'pull', 'tool:1', '--image-store', store, '--mirror', `docker.io=${registry.url}`];
    const child = spawnAs(helper.user, helper.node, [helper.bundle, ...args], { stdio: 'ignore', cwd: helper.folder });
    const ended = new Promise(resolve => child.on('exit', resolve));
    const temporary = join(store, 'temporary');
    for (let tries = 0; tries < 500 && !(existsSync(temporary) && readdirSync(temporary).length > 0); tries++)
      await sleep(2);
    child.kill('SIGTERM');
    assert.equal(await ended, 1);
    assert.deepEqual([...readdirSync(temporary), ...readdirSync(join(store, 'rootfs', 'v1'))], []);
  });
}

async function measure(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
