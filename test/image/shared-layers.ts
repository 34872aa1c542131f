// Images of layers given in memory, loaded into stores.
import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { ImageSource } from '#image/convert.ts';
import type { Image } from '#image/image.ts';
import { loadImage } from '#image/load.ts';
import { removeTree } from '#image/remove-tree.ts';
import { openStore, type Store } from '#image/store.ts';
import { buildImage, digestOf, writeLayout } from '../support/images.ts';
import { isRoot } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { readTimes, readTree } from './rootfs.ts';

export const base = new Layer()
  .directory('d', 0o755, { mtime: 1_000_000_000 })
  .file('d/a', 'a', 0o640, { mtime: 1_100_000_000 })
  .file('d/b', 'b', 0o755)
  // Who is not root could not read it again, to compare.
  .file('d/none', 'secret', isRoot ? 0 : 0o400)
  .file('d/c', 'twins')
  .hardlink('d/twin', 'd/c')
  .symlink('d/link', 'a')
  .directory('closed', 0o500)
  .file('closed/c', 'c', 0o400)
  .file('./dotted', 'dotted')
  .file(Buffer.from([0x66, 0xfc, 0xff]), 'no UTF-8')
  .add({ name: 'x', data: 'long', pax: { path: `${'n'.repeat(150)}` } })
  .add({ name: 'pipe', type: '6', mode: 0o640 });
export const middle = new Layer().directory('d').file('d/b', 'new b').file('m', 'm', 0o600).file('none', '');
export const small = new Layer().file('own', 'own');

const folder = mkdtempSync(join(tmpdir(), 'cwl-shared-layers-'));
after(() => removeTree(folder));
let count = 0;

/** Loads an image; `without`: its archive lacks so many of the lowest layers, or those. */
export async function load(
  store: Store,
  layers: Layer[],
  { without = [] }: { without?: number | ('base' | 'small')[] } = {},
): Promise<Image> {
  const image = buildImage({ layers });
  const lacking =
    typeof without === 'number' ? layers.slice(0, without) : without.map(name => (name === 'base' ? base : small));
  const { layers: listed } = JSON.parse(image.manifest.toString()) as { layers: { digest: string }[] };
  layers.forEach((layer, i) => {
    if (lacking.includes(layer)) image.blobs.delete(listed[i]?.digest ?? '');
  });
  const layout = nextFolder();
  writeLayout(layout, { [`lab/image-${count}:1`]: image });
  try {
    return await loadImage(layout, { store });
  } finally {
    assert.deepEqual(readdirSync(join(store.folder, 'temporary')), []);
  }
}

/** An image of uncompressed layers, which tells when one is opened. */
export function sourceOf(layers: Layer[], onOpen: (index: number) => void): ImageSource {
  const sources = layers.map((layer, index) => {
    const bytes = layer.toBuffer();
    const path = nextFolder();
    writeFileSync(path, bytes);
    const slice = { path, start: 0, length: bytes.length };
    const open = async () => {
      onOpen(index);
      return slice;
    };
    return { name: `${index}`, diffId: digestOf(bytes), size: bytes.length, open };
  });
  const config = { env: {}, entrypoint: [], command: [], architecture: 'amd64' };
  const digest = digestOf(Buffer.from(`${count}`));
  return { reference: 'lab/second:1', digest, config, layers: sources, layerDigests: [] };
}

/** The same image in a store of its own, from its layers alone. */
export async function checkSame(image: Image, layers: Layer[]): Promise<void> {
  const alone = await load(openStore(nextFolder()), layers);
  assert.deepEqual(
    readTree(image.rootfs, () => true),
    {
      ...readTree(alone.rootfs, () => true),
      '.cwl-on-clusters': `file 444 ${image.digest}\n`,
    },
  );
  assert.deepEqual(await readTimes(image.rootfs), await readTimes(alone.rootfs));
}

export function inode(image: Image, name: string): number {
  return lstatSync(join(image.rootfs, name)).ino;
}

export function nextFolder(): string {
  return join(folder, `${count++}`);
}
