import { rmSync } from 'node:fs';
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes a folder with all that is in it, also where tools have left directories without write permission. `alone`:
 * nothing else waits for this process, which then takes the way that is quickest for many small files.
 */
export async function removeTree(folder: string, { alone = false } = {}): Promise<void> {
  try {
    if (alone) rmSync(folder, { recursive: true, force: true });
    else await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // ENOENT: somebody else is removing it, too.
    if (!['EACCES', 'EPERM', 'ENOTEMPTY', 'ENOENT'].includes(code ?? '')) throw error;
    await allowRemoval(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function allowRemoval(folder: string): Promise<void> {
  const info = await lstat(folder).catch(() => undefined);
  if (!info?.isDirectory()) return;
  await chmod(folder, 0o700).catch(() => {});
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await allowRemoval(join(folder, entry.name));
  }
}
