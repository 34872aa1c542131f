import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { Failure, isFailure } from '#base/failure.ts';
import { findMissingSources, putSource, verifySource } from '#protocol/messages.ts';
import { openFiles, type RemoteFiles } from '#ssh/files.ts';
import { findClientName } from './client-name.ts';
import type { Helper } from './helper.ts';
import { type Ends, type TransferOptions, TransferProgress } from './transfer.ts';
import { uploadFile } from './upload.ts';

/** A file for a run: on the user's disk, or as bytes where the editor holds a newer text. */
export interface SourceFile {
  /** Below the run's source folder, with `/`. */
  path: string;
  content: { file: string } | { bytes: Uint8Array };
}

/** Larger files do not go through the helper's messages, but through a channel of their own. */
const largestMessage = 1_048_576;

/**
 * Puts files into the cluster's source store, by their digest: what is there already is not sent again, and a large file
 * goes on where a broken upload stopped. Returns what a run's request names as its `sources`.
 */
export async function uploadSources(
  cluster: Ends,
  files: readonly SourceFile[],
  options: TransferOptions = {},
): Promise<{ path: string; digest: string }[]> {
  const sources = await Promise.all(files.map(file => describe(file)));
  const digests = [...new Set(sources.map(source => source.digest))];
  const { missing } = await cluster.helper.request(findMissingSources, { digests }, options.signal);
  const wanted = missing.map(digest => sources.find(source => source.digest === digest) as Source);
  const progress = new TransferProgress('uploading inputs', sum(wanted.map(source => source.size)), options);
  const large = wanted.filter(source => source.size > largestMessage);
  for (const source of wanted.filter(source => source.size <= largestMessage)) {
    await putSmall(cluster.helper, source, options.signal);
    progress.add(source.size);
  }
  if (large.length > 0) await uploadLarge(cluster, large, progress, options);
  return sources.map(({ path, digest }) => ({ path, digest }));
}

interface Source extends SourceFile {
  digest: string;
  size: number;
}

async function describe(source: SourceFile): Promise<Source> {
  const hash = createHash('sha256');
  if ('bytes' in source.content) {
    const { bytes } = source.content;
    return { ...source, digest: hash.update(bytes).digest('hex'), size: bytes.length };
  }
  try {
    const { size } = await stat(source.content.file);
    for await (const chunk of createReadStream(source.content.file, { highWaterMark: largestMessage })) {
      hash.update(chunk as Buffer);
    }
    return { ...source, digest: hash.digest('hex'), size };
  } catch (error) {
    throw new Failure('remote/no-such-input', `${source.content.file} can't be read`, {
      hint: 'Check the paths in the input object.',
      cause: error,
    });
  }
}

async function putSmall(helper: Helper, source: Source, signal: AbortSignal | undefined): Promise<void> {
  const bytes = 'bytes' in source.content ? source.content.bytes : await readFile(source.content.file);
  await helper.request(putSource, { digest: source.digest, base64: Buffer.from(bytes).toString('base64') }, signal);
}

async function uploadLarge(
  cluster: Ends,
  sources: readonly Source[],
  progress: TransferProgress,
  options: TransferOptions,
): Promise<void> {
  const files = await openFiles(cluster.connection);
  try {
    const folder = `${cluster.helper.hello.home}/sources`;
    await files.makeFolder(folder);
    for (const source of sources) {
      await uploadOne(cluster.helper, files, folder, source, progress, options.signal).catch(error => {
        // What lay there from an earlier upload did not fit: it is gone now, and once more is all that can be done.
        if (!isFailure(error, 'source/digest')) throw error;
        return uploadOne(cluster.helper, files, folder, source, progress, options.signal);
      });
    }
  } finally {
    files.close();
  }
}

async function uploadOne(
  helper: Helper,
  files: RemoteFiles,
  folder: string,
  source: Source,
  progress: TransferProgress,
  signal: AbortSignal | undefined,
): Promise<void> {
  const part = `${source.digest}.${findClientName()}.part`;
  const upload = { path: `${folder}/${part}`, size: source.size, read: (offset: number) => readFrom(source, offset) };
  await uploadFile(files, upload, progress, signal);
  await helper.request(verifySource, { digest: source.digest, part }, signal);
}

async function* readFrom(source: Source, offset: number): AsyncIterable<Buffer> {
  if ('bytes' in source.content) {
    yield Buffer.from(source.content.bytes).subarray(offset);
    return;
  }
  const stream = createReadStream(source.content.file, { start: offset, highWaterMark: 256 * 1024 });
  for await (const chunk of stream) yield chunk as Buffer;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
