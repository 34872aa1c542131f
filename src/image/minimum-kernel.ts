import { closeSync, fstatSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { followLink } from './member-path.ts';

const folders = ['lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu', 'lib64', 'lib', 'usr/lib64', 'usr/lib'];

/**
 * The oldest Linux that the libc of a rootfs starts on, `3.2.0`: from the note `.note.ABI-tag` of its libc.so.6 (LSB
 * Core 5.0, §11.2.1.2; what PRoot's `-k` is for). Undefined where there is no glibc.
 */
export function findMinimumKernel(rootfs: string): string | undefined {
  for (const folder of folders) {
    const path = findInside(rootfs, `${folder}/libc.so.6`);
    const release = path && readAbiTag(path);
    if (release) return release;
  }
  return undefined;
}

/** Path on the host of a file, its symbolic links followed as inside. */
function findInside(rootfs: string, wanted: string): string | undefined {
  let parts = wanted.split('/');
  for (let depth = 1, links = 0; depth <= parts.length; depth++) {
    const path = `${rootfs}/${parts.slice(0, depth).join('/')}`;
    try {
      const stat = lstatSync(path);
      if (stat.isSymbolicLink()) {
        if (++links > 40) return undefined;
        parts = [...followLink(parts.slice(0, depth - 1), readlinkSync(path)), ...parts.slice(depth)];
        depth = 0;
      } else if (depth === parts.length) return stat.isFile() ? path : undefined;
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** Reads the program headers of a 64-bit little-endian ELF file, which are all that matter here. */
function readAbiTag(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const { size } = fstatSync(file);
    const read = (at: number, length: number) => {
      // Places far behind the end are nonsense, and more than a file position can be.
      if (at >= size) return Buffer.alloc(0);
      const bytes = Buffer.alloc(Math.min(length, size - at));
      readSync(file, bytes, 0, bytes.length, at);
      return bytes;
    };
    const head = read(0, 64);
    if (head.length < 64 || head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
    const count = Math.min(head.readUInt16LE(56), 128);
    const entrySize = head.readUInt16LE(54);
    if (entrySize < 56) return undefined;
    const table = read(Number(head.readBigUInt64LE(32)), count * entrySize);
    for (let at = 0; at + 56 <= table.length; at += entrySize) {
      // PT_NOTE
      if (table.readUInt32LE(at) !== 4) continue;
      const length = Math.min(Number(table.readBigUInt64LE(at + 32)), 65536);
      const release = findInNotes(read(Number(table.readBigUInt64LE(at + 8)), length));
      if (release) return release;
    }
    return undefined;
  } finally {
    closeSync(file);
  }
}

function findInNotes(notes: Buffer): string | undefined {
  for (let at = 0; at + 12 <= notes.length; ) {
    const nameLength = notes.readUInt32LE(at);
    const length = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const data = at + 12 + align(nameLength);
    // Type 1 of the owner GNU: operating system (0 is Linux), then three numbers.
    if (
      type === 1 &&
      length >= 16 &&
      notes.toString('latin1', at + 12, at + 16) === 'GNU\0' &&
      data + 16 <= notes.length
    ) {
      const words = [0, 4, 8, 12].map(offset => notes.readUInt32LE(data + offset));
      return words[0] === 0 ? words.slice(1).join('.') : undefined;
    }
    at = data + align(length);
  }
  return undefined;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
