import { Failure } from '#base/failure.ts';

/** The components of a member's name below the rootfs, and whether it tried to leave it. */
export interface MemberPath {
  parts: string[];
  /** It was absolute or had `..`: read as if `/` were the rootfs, as chroot would. */
  isOdd: boolean;
}

// PATH_MAX of Linux; no system call takes more.
const pathLimit = 4096;

/** Throws a Failure `image/invalid-layer` for names that no file can have. */
export function parseMemberPath(name: string): MemberPath {
  if (name.length > pathLimit) throw invalid(`a name has ${name.length} bytes`);
  if (name.includes('\0')) throw invalid('a name holds a NUL byte');
  const parts: string[] = [];
  let isOdd = name.charCodeAt(0) === 47;
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      isOdd = true;
      parts.pop();
    } else parts.push(part);
  }
  return { parts, isOdd };
}

/** What a symbolic link says; throws a Failure `image/invalid-layer` where no link can. */
export function checkLink(path: string, target: string): string {
  if (target === '') throw invalid(`${path} is a symbolic link to nothing`);
  if (target.length >= pathLimit) throw invalid(`${path} is a symbolic link to a name of ${target.length} bytes`);
  if (target.includes('\0')) throw invalid(`${path} is a symbolic link to a name with a NUL byte`);
  return target;
}

/** What `target` of a symbolic link means, as seen from a process whose root is the rootfs. */
export function followLink(directory: readonly string[], target: string): string[] {
  const parts = target.startsWith('/') ? [] : [...directory];
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts;
}

/** The kind of a whiteout (OCI image-spec v1.1, layer.md); `ignored` is what AUFS left behind. */
export function parseWhiteout(
  parts: readonly string[],
): { kind: 'removed' | 'opaque' | 'ignored'; parts: string[] } | undefined {
  // Nearly all names end here.
  const last = parts[parts.length - 1];
  if (last === undefined || !parts.some(part => part.startsWith('.wh.'))) return undefined;
  if (last === '.wh..wh..opq') return { kind: 'opaque', parts: parts.slice(0, -1) };
  if (parts.some(part => part.startsWith('.wh..wh.'))) return { kind: 'ignored', parts: [] };
  if (!last.startsWith('.wh.')) return undefined;
  const name = last.slice('.wh.'.length);
  if (name === '' || name === '.' || name === '..') throw invalid(`${JSON.stringify(last)} deletes no name`);
  return { kind: 'removed', parts: [...parts.slice(0, -1), name] };
}

function invalid(reason: string): Failure {
  return new Failure('image/invalid-layer', `a layer of the image is not usable: ${reason}`);
}
