// Layers in memory to a root file system on disk, and what is in it as text.
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, type Stats, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '#image/remove-tree.ts';
import { RootfsWriter } from '#image/rootfs-writer.ts';
import { TarReader } from '#image/tar-reader.ts';
import { fromText, walkTree } from '#image/tree.ts';
import { type UnpackOptions, unpackLayers } from '#image/unpack.ts';
import { UnpackReport } from '#image/unpack-report.ts';
import { UpwardUnpacker } from '#image/unpack-up.ts';
import { digestOf } from '../support/images.ts';
import { Layer } from '../support/tar.ts';

export interface UnpackedRootfs {
  /** Path to what it is: `file 644 hello`, `link to`, `directory 755`, and `= other` for a hard link of an earlier one. */
  tree: Record<string, string>;
  notices: string[];
}

/** Unpacks layers, lowest first, and reads what came out; the folder is removed again. */
export async function unpackAll(
  layers: (Layer | Buffer)[],
  options: Partial<UnpackOptions> = {},
): Promise<UnpackedRootfs> {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-layers-'));
  try {
    const sources = layers.map((layer, i) => {
      const bytes = layer instanceof Layer ? layer.toBuffer() : layer;
      const path = join(folder, `${i}.tar`);
      writeFileSync(path, bytes);
      const slice = { path, start: 0, length: bytes.length };
      return { name: `${i}`, diffId: digestOf(bytes), size: bytes.length, open: async () => slice };
    });
    const root = join(folder, 'root');
    const { notices } = await unpackLayers(sources, root, { digest: 'sha256:test', ...options });
    return { tree: readTree(root), notices };
  } finally {
    removeTree(folder);
  }
}

/** The slow way, from the lowest layer to the highest, whether the layers need it or not. */
export function unpackUpwards(
  layers: Layer[],
  { maximumEntries = 1000, makeWriter = (folder: string) => new RootfsWriter(folder) } = {},
): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-layers-'));
  try {
    const unpacker = new UpwardUnpacker(makeWriter(folder), new UnpackReport(), maximumEntries);
    for (const layer of layers) {
      unpacker.beginLayer();
      const reader = new TarReader(unpacker);
      reader.push(layer.toBuffer());
      reader.finish();
    }
    unpacker.finishMembers();
    unpacker.finishDirectories();
    return readTree(folder);
  } finally {
    removeTree(folder);
  }
}

// What every rootfs gets beside its layers.
const added = /^(\.cwl-on-clusters|proc|dev|sys|tmp|w|t|in|etc|etc\/hosts|etc\/resolv\.conf)$/;

export function readTree(
  root: string,
  isOwn: (path: string) => boolean = path => !added.test(path),
): Record<string, string> {
  const tree: Record<string, string> = {};
  const inodes = new Map<number, string>();
  const visit = (folder: Buffer, prefix: string) => {
    for (const name of readdirSync(folder, 'buffer').sort(Buffer.compare)) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const shown = prefix + name.toString('latin1');
      const stat = lstatSync(path);
      const mode = (stat.mode & 0o7777).toString(8);
      const twin = inodes.get(stat.ino);
      if (!stat.isDirectory() && stat.nlink > 1) inodes.set(stat.ino, shown);
      if (isOwn(shown)) {
        if (twin !== undefined) tree[shown] = `= ${twin}`;
        else if (stat.isDirectory()) tree[shown] = `directory ${mode}`;
        else if (stat.isSymbolicLink()) tree[shown] = `link ${readlinkSync(path, 'latin1')}`;
        else if (stat.isFile()) tree[shown] = `file ${mode}${describeContent(path, stat)}`;
        else tree[shown] = stat.isFIFO() ? `fifo ${mode}` : 'other';
      }
      if (stat.isDirectory()) visit(path, `${shown}/`);
    }
  };
  visit(Buffer.from(root), '');
  return tree;
}

/** Path to the time of every file and directory that has the one of its layer, in seconds since 1970. */
export async function readTimes(root: string): Promise<Record<string, number>> {
  const times: Record<string, number> = {};
  for await (const { path, stat } of walkTree(fromText(root))) {
    // No layer of the tests is of the last hour: what is has no time of its own.
    const isOld = stat.mtimeMs < Date.now() - 3_600_000;
    if ((stat.isFile() || stat.isDirectory()) && isOld && !added.test(path))
      times[path] = Math.floor(stat.mtimeMs / 1000);
  }
  return times;
}

function describeContent(path: Buffer, { size, blocks }: Stats): string {
  if (size < 1 << 20) return ` ${readFileSync(path, 'latin1')}`;
  return `, ${size} bytes${blocks * 512 < size / 100 ? ', mostly holes' : ''}`;
}
