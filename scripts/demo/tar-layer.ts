// What one root file system has over another, as a layer: both are given as tar archives, and so is the answer.
import { basename, dirname, join } from 'node:path';

interface Entry {
  path: string;
  /** Extended headers, header and content, as they stand in the archive. */
  raw: Buffer;
}

const block = 512;

/** The entries of `whole` that `base` lacks or has otherwise, and a whiteout for each one that `whole` lacks (OCI image-spec v1.1, layer.md). */
export function planLayer(base: Buffer, whole: Buffer): Buffer {
  const before = new Map(readEntries(base).map(entry => [entry.path, entry.raw]));
  const entries = readEntries(whole);
  const after = new Set(entries.map(entry => entry.path));
  const parts = entries.filter(({ path, raw }) => !before.get(path)?.equals(raw)).map(entry => entry.raw);
  for (const path of before.keys()) {
    // Below a directory that is gone, nothing more needs to be said.
    if (!after.has(path) && after.has(`${dirname(path)}/`)) parts.push(formatWhiteout(path));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function readEntries(archive: Buffer): Entry[] {
  const entries: Entry[] = [];
  let longPath: string | undefined;
  let start = 0;
  for (let at = 0; at + block <= archive.length && archive[at] !== 0; ) {
    const header = archive.subarray(at, at + block);
    const size = readSize(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const content = archive.subarray(at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
    if (type === 'L') longPath = readText(content);
    else if (type === 'x') longPath = /^\d+ path=(.*)$/m.exec(content.toString())?.[1] ?? longPath;
    else if (type !== 'K') {
      entries.push({ path: longPath ?? readPath(header), raw: archive.subarray(start, at) });
      longPath = undefined;
      start = at;
    }
  }
  return entries;
}

function readPath(header: Buffer): string {
  const prefix = readText(header.subarray(345, 500));
  const name = readText(header.subarray(0, 100));
  return prefix && header.toString('latin1', 257, 263) === 'ustar\0' ? `${prefix}/${name}` : name;
}

function readSize(header: Buffer): number {
  return Number.parseInt(readText(header.subarray(124, 136)).trim() || '0', 8);
}

function readText(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? field.length : end);
}

function formatWhiteout(path: string): Buffer {
  const name = join(dirname(path), `.wh.${basename(path)}`);
  if (Buffer.byteLength(name) > 100)
    throw new Error(`${path} was removed, and its name is too long for a plain header`);
  const header = Buffer.alloc(block);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write('00000000000\0', 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
