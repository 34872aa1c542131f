import { closeSync, openSync, readdirSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { join, posix } from 'node:path';

/** Where the C library looks for libraries that nothing is said of (ld.so(8)); more of it on Debian. */
const usual = ['/lib', '/usr/lib', '/lib64', '/usr/lib64'];

/** PT_INTERP of a 64-bit little-endian ELF file, `/lib64/ld-linux-x86-64.so.2`; undefined for static programs and others. */
export function readInterpreter(path: string): string | undefined {
  const file = openSync(path, 'r');
  try {
    const read = (at: number, length: number) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, at));
    };
    const head = read(0, 64);
    if (head.length < 64 || head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
    const size = head.readUInt16LE(54);
    const table = read(Number(head.readBigUInt64LE(32)), size * Math.min(head.readUInt16LE(56), 128));
    for (let at = 0; size >= 56 && at + size <= table.length; at += size) {
      if (table.readUInt32LE(at) !== interpreterType) continue;
      const length = Number(table.readBigUInt64LE(at + 32));
      return length > 4096
        ? undefined
        : read(Number(table.readBigUInt64LE(at + 8)), length)
            .toString()
            .split('\0')[0];
    }
    return undefined;
  } finally {
    closeSync(file);
  }
}

const interpreterType = 3;

/**
 * The folders, on the host, that the loader of a root file system looks into: those of its `/etc/ld.so.conf`, then the
 * usual ones; each once. Absolute links in it must lead nowhere else.
 */
export function listLibraryFolders(rootfs: string): string[] {
  const folders = new Set<string>();
  const add = (inside: string) => {
    const real = findReal(join(rootfs, inside));
    if (real !== undefined && isIn(real, rootfs)) folders.add(real);
  };
  for (const path of readConfiguration(rootfs, '/etc/ld.so.conf', 0)) add(path);
  for (const path of usual) {
    for (const name of listFolders(join(rootfs, path))) add(posix.join(path, name));
    add(path);
  }
  return [...folders].filter(path => !/[:;]/.test(path));
}

/** Debian's folders by machine, `x86_64-linux-gnu`. */
function listFolders(path: string): string[] {
  return tryOr(() => readdirSync(path), []).filter(name => /^(?:x86_64|aarch64)-linux-gnu$/.test(name));
}

/** Lines of ld.so.conf, with `include` and its patterns (ldconfig(8)). */
function readConfiguration(rootfs: string, path: string, depth: number): string[] {
  const real = findReal(join(rootfs, path));
  if (real === undefined || !isIn(real, rootfs) || depth > 8) return [];
  return tryOr(() => readFileSync(real, 'utf8'), '')
    .split('\n')
    .flatMap(line => {
      const [, word = '', pattern] = /^\s*(\S+)(?:\s+(\S+))?/.exec(line.replace(/#.*/, '')) ?? [];
      if (word !== 'include') return word.startsWith('/') ? [word] : [];
      const wanted = posix.resolve(posix.dirname(path), pattern ?? '');
      const name = new RegExp(
        `^${posix
          .basename(wanted)
          .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
          .replaceAll('*', '.*')}$`,
      );
      const folder = posix.dirname(wanted);
      const names = tryOr(() => readdirSync(join(rootfs, folder)), []).filter(each => name.test(each));
      return names.sort().flatMap(each => readConfiguration(rootfs, posix.join(folder, each), depth + 1));
    });
}

function findReal(path: string): string | undefined {
  return tryOr<string | undefined>(() => realpathSync(path), undefined);
}

function isIn(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

function tryOr<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
