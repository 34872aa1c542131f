import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DriverFile } from '#engine/gpus.ts';
import { findRealPath, listNames } from './quiet-files.ts';

/** Where distributions, and NVIDIA's own installer, put the driver's libraries that the loader's cache may not name. */
const folders = [
  '/usr/lib64',
  '/usr/lib64/nvidia',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu/nvidia/current',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu/nvidia/current',
  '/usr/lib',
  '/run/opengl-driver/lib',
];

/** Libraries of the driver: for computing, management, video and rendering; those for windows and containers are left out. */
const wanted =
  /^lib(?:cuda|cudadebugger|nvcuvid|nvoptix|vdpau_nvidia|(?:EGL|GLX|GLESv1_CM|GLESv2)_nvidia|nvidia-(?!container|gtk|wayland|egl-)[\w-]+)\.so(?:\.[\d.]+)?$/;

/** e_machine of ELF files (elf(5)) that this process could load. */
const machine = process.arch === 'arm64' ? 183 : 62;

/**
 * The libraries of the NVIDIA driver, each by the name that programs load it by, as the loader would find them below `root`:
 * first those of its cache, then those of known folders. `version`: of the kernel module; files of another one are left out.
 */
export function findLibraries(root: string, version: string | undefined): DriverFile[] {
  const cached = readLoaderCache(join(root, 'etc/ld.so.cache')).filter(path => wanted.test(basename(path)));
  const cuda = cached.find(path => basename(path) === 'libcuda.so.1');
  const places = cuda === undefined ? folders : [dirname(cuda), ...folders];
  const listed = places.flatMap(folder =>
    listNames(join(root, folder))
      .filter(name => wanted.test(name))
      .map(name => join(folder, name)),
  );
  const files = new Map<string, DriverFile>();
  for (const path of [...cached, ...listed]) {
    const name = basename(path);
    const own = /\.so\.(\d+\.[\d.]+)$/.exec(name)?.[1];
    if (files.has(name) || (own !== undefined && version !== undefined && own !== version)) continue;
    const host = resolveLibrary(join(root, path));
    if (host !== undefined) files.set(name, { host, guest: name });
  }
  const [first, plain] = [files.get('libcuda.so.1'), files.get('libcuda.so')];
  // Only the development files of the host have this name, and some programs load it.
  if (first && !plain) files.set('libcuda.so', { ...first, guest: 'libcuda.so' });
  return [...files.values()];
}

/** Programs of the driver that there are, by name. */
export function findPrograms(root: string, names: readonly string[]): DriverFile[] {
  const places = ['/usr/bin', '/usr/local/bin', '/usr/sbin', '/opt/bin', '/run/opengl-driver/bin'];
  return names.flatMap(name => {
    const host = places.map(folder => findRealPath(join(root, folder, name))).find(path => path !== undefined);
    return host === undefined ? [] : [{ host, guest: name }];
  });
}

/**
 * Paths of libraries in ld.so.cache, in the order in which the loader takes them (glibc, sysdeps/generic/dl-cache.h: a header
 * of 48 bytes, entries of 24, and offsets from the header; older caches have another one in front).
 */
export function readLoaderCache(path: string): string[] {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch {
    return [];
  }
  const cache = file.subarray(Math.max(0, file.indexOf('glibc-ld.so.cache1.1')));
  if (cache.length < 48 || !cache.toString('latin1', 0, 20).startsWith('glibc-ld.so.cache1.1')) return [];
  const count = cache.readUInt32LE(20);
  const paths: string[] = [];
  for (let at = 48; at + 24 <= cache.length && paths.length < count; at += 24) {
    const start = cache.readUInt32LE(at + 8);
    const end = cache.indexOf(0, start);
    paths.push(end < 0 ? '' : cache.toString('utf8', start, end));
  }
  return paths.filter(each => each.startsWith('/'));
}

/** The file itself, where it is a library for this machine: there are 32-bit ones of the same name. */
function resolveLibrary(path: string): string | undefined {
  const real = findRealPath(path);
  if (real === undefined) return undefined;
  try {
    const head = Buffer.alloc(20);
    const descriptor = openSync(real, 'r');
    try {
      readSync(descriptor, head, 0, head.length, 0);
    } finally {
      closeSync(descriptor);
    }
    const isElf64 = head.readUInt32BE(0) === 0x7f454c46 && head[4] === 2;
    return isElf64 && head.readUInt16LE(18) === machine ? real : undefined;
  } catch {
    return undefined;
  }
}
