import type { Stats } from 'node:fs';
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '#base/failure.ts';
import type { FileStat } from '#protocol/messages.ts';
import type { RunCatalog } from './run-catalog.ts';
import { loadRequest } from './run-folder.ts';

/** The most that one read returns, in bytes. */
export const largestRead = 1_048_576;

/** Serves files, and only those inside run folders, output folders and inputs of known runs. */
export class FileServer {
  readonly #catalog: RunCatalog;
  /** Real paths of what may be read, by run; a run's inputs and output folder never change. */
  readonly #roots = new Map<string, string[]>();

  constructor(catalog: RunCatalog) {
    this.#catalog = catalog;
  }

  async stat(path: string): Promise<FileStat> {
    return toFileStat(await stat(await this.#allow(path)));
  }

  async list(path: string): Promise<{ entries: (FileStat & { name: string })[] }> {
    const folder = await this.#allow(path);
    const names = await readdir(folder).catch(error => {
      throw notReadable(path, error);
    });
    const entries = await Promise.all(
      names.map(async name => {
        const entry = join(folder, name);
        const info = await stat(entry).catch(() => lstat(entry).catch(() => undefined));
        return info && { name, ...toFileStat(info) };
      }),
    );
    return { entries: entries.filter(entry => entry !== undefined) };
  }

  async read(path: string, offset: number, length: number): Promise<{ base64: string; size: number }> {
    const real = await this.#allow(path);
    // A FIFO would hang, a device never end.
    if (!(await stat(real)).isFile()) throw new Failure('file/no-file', `${path} is not a file`);
    const file = await open(real, 'r').catch(error => {
      throw notReadable(path, error);
    });
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.max(0, Math.min(length, largestRead, size - offset)));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      return { base64: buffer.toString('base64', 0, bytesRead), size };
    } finally {
      await file.close();
    }
  }

  /** The real path, when it lies inside something that may be read; throws `file/not-allowed` or `file/not-found`. */
  async #allow(path: string): Promise<string> {
    if (!isAbsolute(path) || path.includes('\0')) throw notAllowed(path);
    const real = await realpath(path).catch(error => {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') throw notReadable(path, error);
      return undefined;
    });
    // What is missing is told only where it would be allowed.
    const asked = real ?? (await realpath(dirname(path)).catch(() => path));
    if (!(await this.#isInside(asked))) throw notAllowed(path);
    if (real === undefined) throw new Failure('file/not-found', `${path} does not exist`);
    return real;
  }

  async #isInside(real: string): Promise<boolean> {
    const runs = await realpath(this.#catalog.home.runs).catch(() => undefined);
    if (runs && real.startsWith(runs + sep)) return true;
    const ids = await this.#catalog.scan();
    // The newest first: it is the one that is looked at.
    for (const id of ids.reverse()) {
      if ((await this.#rootsOf(id)).some(root => real === root || real.startsWith(root + sep))) return true;
    }
    return false;
  }

  async #rootsOf(id: string): Promise<string[]> {
    const known = this.#roots.get(id);
    if (known) return known;
    const reader = await this.#catalog.find(id).catch(() => undefined);
    if (!reader) return [];
    const request = await loadRequest(reader.run);
    const paths = [reader.toSummary().outdir, reader.run.folder, ...findPaths(request?.inputs, reader.run.source)];
    const roots = await Promise.all(paths.map(path => realpath(path).catch(() => undefined)));
    const found = roots.filter(root => root !== undefined && root !== sep) as string[];
    // Until the output folder exists, its real path can't be known.
    if (roots[0] !== undefined) this.#roots.set(id, found);
    return found;
  }
}

/** Absolute paths of the Files and Directories in an input object, with their secondary files and listings. */
export function findPaths(value: unknown, base: string): string[] {
  if (Array.isArray(value)) return value.flatMap(each => findPaths(each, base));
  if (typeof value !== 'object' || value === null) return [];
  const entry = value as Record<string, unknown>;
  const inner = Object.values(entry).flatMap(each => findPaths(each, base));
  if (entry.class !== 'File' && entry.class !== 'Directory') return inner;
  const where = entry.path ?? entry.location;
  if (typeof where !== 'string' || /^(?!file:)[a-z][a-z0-9+.-]*:/i.test(where)) return inner;
  return [where.startsWith('file:') ? toPath(where) : isAbsolute(where) ? where : join(base, where), ...inner];
}

function toPath(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch {
    return uri.replace(/^file:(\/\/)?/, '');
  }
}

function toFileStat(info: Stats): FileStat {
  const type = info.isFile() ? 'file' : info.isDirectory() ? 'directory' : 'other';
  return { type, size: info.size, modified: Math.round(info.mtimeMs) };
}

function notAllowed(path: string): Failure {
  return new Failure('file/not-allowed', `${JSON.stringify(path.slice(0, 300))} belongs to no run`, {
    hint: 'Only folders of runs, their output folders and their inputs are shown.',
  });
}

function notReadable(path: string, cause: unknown): Failure {
  return new Failure('file/not-readable', `${path} can't be read`, { cause });
}
