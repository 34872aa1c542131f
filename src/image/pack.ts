import { chmodSync, closeSync, lstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { markerName } from './prepare-rootfs.ts';
import { fromText, toBytes, walkTree } from './tree.ts';

const block = 512;
/** Bytes of one read of a large file. */
const chunkSize = 1 << 20;

/**
 * Writes a rootfs as one archive that unpacking makes the same rootfs of: a tar (POSIX.1-2017 pax) in zstd. Hard links stay
 * hard links; owners, and times below the second, are not kept.
 */
export async function packRootfs(root: string, archive: string, signal?: AbortSignal): Promise<void> {
  const file = await open(archive, 'wx');
  const target = file.createWriteStream();
  const compressor = createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  await pipeline(Readable.from(writeTar(fromText(root), signal)), compressor, target, { signal });
}

async function* writeTar(root: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const links = new Map<number, string>();
  const isLeftOut = (path: string) => path === markerName;
  yield makeHeader('./', lstatSync(toBytes(root)), '5');
  for await (const { path, stat } of walkTree(root, { signal, isLeftOut })) {
    const full = `${root}/${path}`;
    const known = stat.isDirectory() ? undefined : links.get(stat.ino);
    if (known !== undefined) yield makeHeader(path, stat, '1', known);
    else if (stat.isDirectory()) yield makeHeader(`${path}/`, stat, '5');
    else if (stat.isSymbolicLink()) {
      yield makeHeader(path, stat, '2', readlinkSync(toBytes(full), 'latin1'));
    } else if (stat.isFIFO()) yield makeHeader(path, stat, '6');
    else if (stat.isFile()) {
      yield makeHeader(path, stat, '0');
      yield* readWhole(full, stat);
    }
    if (stat.nlink > 1 && !stat.isDirectory()) links.set(stat.ino, path);
  }
  yield Buffer.alloc(2 * block);
}

function* readWhole(path: string, stat: Stats): Generator<Buffer> {
  const file = openAnyway(path, stat);
  try {
    for (let at = 0; at < stat.size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkSize, stat.size - at));
      const length = readSync(file, chunk, 0, chunk.length, at);
      if (length === 0) throw new Error(`${Buffer.from(path, 'latin1')} became shorter while it was packed`);
      yield chunk.subarray(0, length);
      at += length;
    }
  } finally {
    closeSync(file);
  }
  yield padding(stat.size);
}

/** Also where its owner took the right to read from himself. */
function openAnyway(path: string, { mode }: Stats): number {
  const name = toBytes(path);
  if ((mode & 0o400) !== 0) return openSync(name, 'r');
  chmodSync(name, 0o400);
  try {
    return openSync(name, 'r');
  } finally {
    chmodSync(name, mode & 0o7777);
  }
}

/** The header of a member, after an extended one where names or the size do not fit. Text is latin1. */
function makeHeader(path: string, stat: Stats, type: string, link = ''): Buffer {
  const size = type === '0' ? stat.size : 0;
  const records: [string, string][] = [];
  if (path.length > 100) records.push(['path', path]);
  if (link.length > 100) records.push(['linkpath', link]);
  if (size >= 8 ** 11) records.push(['size', `${size}`]);
  const header = plainHeader(path, type, { mode: stat.mode & 0o7777, size, mtime: stat.mtimeMs / 1000, link });
  if (records.length === 0) return header;
  const data = Buffer.from(records.map(([key, value]) => formatRecord(key, value)).join(''), 'latin1');
  const extended = plainHeader('PaxHeaders/x', 'x', { mode: 0o644, size: data.length, mtime: 0, link: '' });
  return Buffer.concat([extended, data, padding(data.length), header]);
}

function plainHeader(
  path: string,
  type: string,
  { mode, size, mtime, link }: { mode: number; size: number; mtime: number; link: string },
): Buffer {
  const header = Buffer.alloc(block);
  const put = (text: string, at: number, length: number) => header.write(text.slice(0, length), at, 'latin1');
  const number = (value: number, digits: number) => Math.floor(value).toString(8).padStart(digits, '0').slice(-digits);
  put(path, 0, 100);
  put(`${number(mode, 7)}\0`, 100, 8);
  put(`${number(0, 7)}\0${number(0, 7)}\0`, 108, 16);
  put(`${number(size, 11)}\0`, 124, 12);
  put(`${number(Math.min(Math.max(mtime, 0), 8 ** 11 - 1), 11)}\0`, 136, 12);
  put(`        ${type}`, 148, 9);
  put(link, 157, 100);
  put('ustar\x0000', 257, 8);
  put(
    `${number(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
    8,
  );
  return header;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function formatRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}${rest}`.length !== length) length++;
  return `${length}${rest}`;
}

function padding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}
