import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { Failure, isFailure } from '#base/failure.ts';
import { readFile, statFile } from '#protocol/messages.ts';
import { openFiles } from '#ssh/files.ts';
import { type Ends, type TransferOptions, TransferProgress } from './transfer.ts';

/** The most that one request for a part of a file may ask for (`readFile` of the protocol). */
const largestPart = 1_048_576;

/**
 * Fetches a file of a run to `target` on the user's machine. What a broken download left in `TARGET.part` is gone on
 * with; it takes its name only when it is whole, and right if `checksum` (`sha1$HEX`, as in CWL's output objects) is given.
 */
export async function downloadFile(
  cluster: Ends,
  path: string,
  target: string,
  options: TransferOptions & { checksum?: string } = {},
): Promise<void> {
  const part = `${target}.part`;
  const { size } = await cluster.helper.request(statFile, { path }, options.signal);
  const present = await stat(part).then(
    info => info.size,
    () => 0,
  );
  const offset = present > size ? 0 : present;
  const progress = new TransferProgress(`downloading ${path}`, size, options);
  progress.add(offset);
  const file = await open(part, 'a+');
  try {
    if (offset !== present) await file.truncate(offset);
    for await (const chunk of progress.watch(readRemote(cluster, path, offset, options.signal), options.signal)) {
      await file.write(chunk);
    }
    await check(file, path, size, options.checksum);
  } catch (error) {
    if (isFailure(error, 'remote/damaged')) await rm(part, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(part, target);
}

async function* readRemote(
  cluster: Ends,
  path: string,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  try {
    const files = await openFiles(cluster.connection);
    try {
      yield* files.read(path, offset);
    } finally {
      files.close();
    }
  } catch (error) {
    // Where the helper's channel is the only one that is allowed, it carries files too.
    if (!isFailure(error, 'ssh/too-many-channels')) throw error;
    yield* readThroughHelper(cluster, path, offset, signal);
  }
}

async function* readThroughHelper(
  cluster: Ends,
  path: string,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  for (let at = offset; ; ) {
    const { base64, size } = await cluster.helper.request(readFile, { path, offset: at, length: largestPart }, signal);
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length > 0) yield bytes;
    at += bytes.length;
    if (at >= size || bytes.length === 0) return;
  }
}

async function check(file: FileHandle, path: string, size: number, checksum: string | undefined): Promise<void> {
  const [algorithm, expected] = checksum?.split('$') ?? [];
  const hash = algorithm && expected ? createHash(algorithm) : undefined;
  let length = 0;
  if (hash) {
    for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) {
      hash.update(chunk as Buffer);
      length += (chunk as Buffer).length;
    }
  } else length = (await file.stat()).size;
  if (length === size && (hash === undefined || hash.digest('hex') === expected)) return;
  throw new Failure('remote/damaged', `${path} arrived damaged, or changed on its way`, { hint: 'Download it again.' });
}
