import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, copyFile, link, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Failure } from '#base/failure.ts';
import type { Home } from './home.ts';

/** Files that came from the user's machine, each named by the SHA-256 of its content (`sources/SHA256HEX`). */

/** The most that `source/put` takes, in bytes; larger files come by sftp. */
export const largestPut = 8 * 1_048_576;

/** Files up to this size are copied into a run, so that editing them there leaves the store as it is. */
const largestCopy = 1_048_576;

export async function findMissing(home: Home, digests: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const digest of new Set(digests)) {
    if (!(await exists(toPath(home, digest)))) missing.push(digest);
  }
  return missing;
}

/** Throws `source/digest` where the content is another one, `source/too-large` beyond {@link largestPut}. */
export async function putSource(home: Home, digest: string, base64: string): Promise<void> {
  const path = toPath(home, digest);
  if (base64.length > Math.ceil(largestPut / 3) * 4) {
    throw new Failure('source/too-large', `a source of more than ${largestPut} bytes must be uploaded by sftp`);
  }
  const content = Buffer.from(base64, 'base64');
  const actual = createHash('sha256').update(content).digest('hex');
  if (actual !== digest) throw wrongDigest(digest, actual);
  await mkdir(home.sources, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
  try {
    await writeFile(temporary, content, { mode: 0o400, flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw notWritten(home, error);
  }
}

/** Publishes what was uploaded as `part` in the store; removes it and throws `source/digest` where it is another file. */
export async function verifySource(home: Home, digest: string, part = `${digest}.part`): Promise<void> {
  const path = toPath(home, digest);
  if (!part.startsWith(digest) || !/^[0-9a-f]{64}\.([A-Za-z0-9-]+\.)?part$/.test(part)) {
    throw new Failure('helper/bad-request', `${JSON.stringify(part.slice(0, 200))} is no name of an upload`);
  }
  const uploaded = join(home.sources, part);
  const info = await stat(uploaded).catch(() => undefined);
  if (!info?.isFile()) {
    // Another editor may have uploaded the same file and published it meanwhile.
    if (await exists(path)) return;
    throw new Failure('source/missing', `the upload ${part} is not there`, { hint: 'Start the run again.' });
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(uploaded, { highWaterMark: 1_048_576 }), hash);
  const actual = hash.digest('hex');
  if (actual !== digest) {
    await rm(uploaded, { force: true });
    throw wrongDigest(digest, actual);
  }
  await chmod(uploaded, 0o400);
  await rename(uploaded, path);
}

/**
 * Lays files of the store out below `folder`, and makes `emptyFolders` there. Large ones are hard links where the file system allows it.
 * Throws `helper/bad-request` for a path that is not a plain one below the folder, `source/missing` for an unknown digest.
 */
export async function layOutSources(
  home: Home,
  sources: readonly { path: string; digest: string }[],
  folder: string,
  emptyFolders: readonly string[] = [],
): Promise<void> {
  const targets = sources.map(source => ({
    from: toPath(home, source.digest),
    to: join(folder, toRelative(source.path)),
  }));
  const folders = emptyFolders.map(path => join(folder, toRelative(path)));
  for (const each of [folder, ...folders]) await mkdir(each, { recursive: true });
  for (const { from, to } of targets) {
    const info = await stat(from).catch(() => undefined);
    if (!info) throw new Failure('source/missing', `the source store lacks ${from}`, { hint: 'Start the run again.' });
    await mkdir(dirname(to), { recursive: true });
    try {
      if (info.size > largestCopy) await link(from, to).catch(() => copyFile(from, to));
      else await copyFile(from, to);
    } catch (error) {
      throw notWritten(home, error);
    }
  }
}

/** A path that can only lead below the folder it is joined to; throws `helper/bad-request` otherwise. */
export function toRelative(path: string): string {
  const names = path.split('/');
  const isPlain = names.every(name => name !== '' && name !== '.' && name !== '..');
  if (!isPlain || path.includes('\0') || path.length > 4000) {
    throw new Failure('helper/bad-request', `${JSON.stringify(path.slice(0, 200))} is no path below the run's folder`);
  }
  return path;
}

function toPath(home: Home, digest: string): string {
  if (!/^[0-9a-f]{64}$/.test(digest)) {
    throw new Failure('helper/bad-request', `${JSON.stringify(digest.slice(0, 100))} is no SHA-256 in hex`);
  }
  return join(home.sources, digest);
}

function wrongDigest(expected: string, actual: string): Failure {
  return new Failure('source/digest', `an uploaded file has the SHA-256 ${actual} instead of ${expected}`, {
    hint: 'It was changed or damaged on its way: start the run again.',
  });
}

function notWritten(home: Home, error: unknown): Failure {
  return new Failure('helper/not-writable', `a file could not be put below ${home.folder}`, {
    cause: error,
    hint: 'Free some space or quota there, or set CWL_ON_CLUSTERS_HOME to a folder with more.',
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
