import { isFailure } from '#base/failure.ts';
import type { RemoteFiles } from '#ssh/files.ts';
import type { TransferProgress } from './transfer.ts';

/** A file that grows on the host. */
export interface Upload {
  /** Absolute, on the host. */
  path: string;
  /** Bytes of the whole. */
  size: number;
  /** Its content from byte `offset` on. */
  read(offset: number): AsyncIterable<Buffer>;
}

/** Sends what the file lacks on the host; whether all of it is right must be checked there. */
export async function uploadFile(
  files: RemoteFiles,
  { path, size, read }: Upload,
  progress: TransferProgress,
  signal: AbortSignal | undefined,
): Promise<void> {
  const present = (await files.findSize(path)) ?? 0;
  const offset = present > size ? 0 : present;
  progress.add(offset);
  await files.append(path, offset, progress.watch(read(offset), signal)).catch(async error => {
    // A full disk is given its space back; what a broken connection left is for the next time.
    if (isFailure(error, 'ssh/no-space')) await files.remove(path).catch(() => {});
    throw error;
  });
}
