import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate as yieldToOthers } from 'node:timers/promises';

const chunk = 4 * 1_048_576;

/** `sha1$...` of a file, streaming; `size` in bytes is what it is known to have (CWL v1.2, File.checksum). */
export async function computeChecksum(path: string, size: number): Promise<string> {
  return `sha1$${await computeDigest(path, size, 'sha1')}`;
}

/** Hexadecimal digest of a file of `size` bytes, streaming. */
export async function computeDigest(path: string, size: number, algorithm: 'sha1' | 'sha256'): Promise<string> {
  const hash = createHash(algorithm);
  if (size <= 65_536) return hash.update(readFileSync(path)).digest('hex');
  const file = await open(path, 'r');
  try {
    // While one half is hashed the other one is read.
    const buffers = [Buffer.allocUnsafe(chunk), Buffer.allocUnsafe(chunk)];
    let next = file.read(buffers[0]!, 0, chunk, null);
    for (let turn = 0; ; turn++) {
      const { bytesRead } = await next;
      if (bytesRead === 0) break;
      next = file.read(buffers[(turn + 1) % 2]!, 0, chunk, null);
      hash.update(buffers[turn % 2]!.subarray(0, bytesRead));
      await yieldToOthers();
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
