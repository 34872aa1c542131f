import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';

/** Entries after which others get their turn, and a cancellation is seen. */
const turn = 2000;

/**
 * Makes `target` a root file system of the same files as `source` (hard links; copies where there can be none), in which
 * no symbolic link is absolute or climbs above the root: without chroot(2) it would lead into the host's.
 */
export async function relinkRootfs(source: string, target: string, signal?: AbortSignal): Promise<void> {
  const open = [{ path: Buffer.from('/'), depth: 0 }];
  const modes: { path: Buffer; mode: number }[] = [];
  mkdirSync(target);
  for (let done = 0, next = open.pop(); next; next = open.pop()) {
    const { path: folder, depth } = next;
    const own = Buffer.concat([Buffer.from(source), folder]);
    for (const entry of readdirSync(own, { encoding: 'buffer', withFileTypes: true })) {
      const path = Buffer.concat([folder, entry.name]);
      const from = Buffer.concat([Buffer.from(source), path]);
      const to = Buffer.concat([Buffer.from(target), path]);
      if (entry.isSymbolicLink()) symlinkSync(lowerLink(readlinkSync(from, 'buffer'), depth), to);
      else if (entry.isDirectory()) {
        mkdirSync(to);
        modes.push({ path: to, mode: lstatSync(from).mode & 0o7777 });
        open.push({ path: Buffer.concat([path, Buffer.from('/')]), depth: depth + 1 });
      } else linkOrCopy(from, to);
      if (++done % turn !== 0) continue;
      await new Promise(resolve => setImmediate(resolve));
      signal?.throwIfAborted();
    }
  }
  // Last, as some can't be written to by their owner.
  for (const { path, mode } of modes.reverse()) chmodSync(path, mode);
}

/** `depth`: how many directories the link lies below the root, above which `..` leads nowhere. */
function lowerLink(link: Buffer, depth: number): Buffer {
  // Every byte as one character, whatever the encoding.
  const text = link.toString('latin1');
  const isAbsolute = text.startsWith('/');
  let level = isAbsolute ? 0 : depth;
  const parts = text.split('/').filter(part => {
    if (part === '' || part === '.') return false;
    if (part !== '..') level++;
    else if (level === 0) return false;
    else level--;
    return true;
  });
  const ups = isAbsolute ? Array<string>(depth).fill('..') : [];
  const lowered = [...ups, ...parts].join('/') || '.';
  return Buffer.from(lowered, 'latin1');
}

/** The kernel may refuse a second name for what is somebody else's (`fs.protected_hardlinks`), as do some file systems. */
function linkOrCopy(from: Buffer, to: Buffer): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!lstatSync(from).isFile()) return;
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'ENOSYS'].includes(code)) throw error;
    copyFileSync(from, to);
  }
}
