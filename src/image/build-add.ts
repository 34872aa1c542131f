import { createHash } from 'node:crypto';
import { chmodSync, createWriteStream, lstatSync, mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Failure } from '#base/failure.ts';
import { fetchUrl } from '#registry/http.ts';
import { decompress, findCompression, type Slice } from './decompress.ts';
import { RootfsWriter } from './rootfs-writer.ts';
import { TarReader } from './tar-reader.ts';
import { toText } from './tree.ts';
import { UnpackReport } from './unpack-report.ts';
import { UpwardUnpacker } from './unpack-up.ts';

/**
 * Brings the file behind a URL into `folder`, under the last part of the URL, with mode 0600 (Dockerfile reference, ADD).
 * Throws a Failure `image/add-failed`, or `image/digest-mismatch` where `checksum` is another.
 */
export async function downloadFile(
  url: string,
  folder: string,
  options: { checksum?: string; signal?: AbortSignal },
): Promise<string> {
  const parsed = URL.parse(url);
  const name = decodeURIComponent(parsed?.pathname.split('/').pop() ?? '');
  if (!parsed || name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new Failure('image/add-failed', `${url} names no file`);
  }
  const place = join(folder, name);
  mkdirSync(folder, { recursive: true });
  const hash = createHash('sha256');
  let response: Awaited<ReturnType<typeof fetchUrl>>;
  try {
    response = await fetchUrl(parsed, { signal: options.signal });
    if (response.status !== 200) throw new Error(`the server answers ${response.status}`);
    const count = new Transform({
      transform(chunk, _, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(response.body, count, createWriteStream(place, { mode: 0o600 }), { signal: options.signal });
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new Failure('image/add-failed', `${url} could not be fetched`, { cause });
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (options.checksum !== undefined && options.checksum !== found) {
    throw new Failure('image/digest-mismatch', `${url} has the digest ${found}, not ${options.checksum}`);
  }
  const time = Date.parse(response.headers['last-modified'] ?? '') / 1000 || 0;
  utimesSync(place, time, time);
  return place;
}

/** Whether ADD unpacks this file: a tar, compressed or not, by its content. */
export async function isTar(path: string): Promise<boolean> {
  const slice = toSlice(path);
  try {
    for await (const chunk of decompress(slice)) {
      return chunk.length >= 512 && /^ustar[\0 ]/.test(chunk.toString('latin1', 257, 263));
    }
  } catch {
    // It only begins like something compressed.
  }
  return false;
}

/** Unpacks a tar into a new folder; nothing is written outside of it, whatever the archive says. */
export async function unpackTar(path: string, folder: string, signal?: AbortSignal): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const slice = toSlice(path);
  const writer = new RootfsWriter(folder);
  const unpacker = new UpwardUnpacker(writer, new UnpackReport(), 4_000_000);
  unpacker.beginLayer();
  const reader = new TarReader(unpacker);
  // As with layers: what grows a hundredfold was made to fill disks.
  const allowed = Math.max(4 * 2 ** 30, 100 * slice.length);
  let count = 0;
  try {
    for await (const chunk of decompress(slice, signal)) {
      count += chunk.length;
      if (count > allowed) throw new Failure('image/too-large', `${path} unpacks to more than ${allowed} bytes`);
      reader.push(chunk);
      signal?.throwIfAborted();
    }
    reader.finish();
    unpacker.finishMembers();
    unpacker.finishDirectories();
    chmodSync(folder, 0o755);
  } finally {
    writer.abandon();
  }
}

function toSlice(place: string): Slice {
  const path = toText(place);
  const slice = { path, start: 0, length: lstatSync(path).size };
  if (slice.length > 0) findCompression(slice);
  return slice;
}
