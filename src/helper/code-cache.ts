import { hash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writevSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';

/** Processes that may add what they have compiled, whatever it costs them; later only those that live so long, in ms. */
const writersAtFirst = 4;
const longEnough = 1000;

interface Cache {
  code: Buffer;
  /** How many processes have written it, one after the other. */
  writers: number;
}

/**
 * Runs a CommonJS file, in which no `import()` is left, as `require` does, with the code that earlier processes have
 * compiled: Node's own compile cache holds what is compiled when a file is loaded, this one also the functions that
 * were called. `topic` parts the caches of processes that do different things. Only this user may write to `folder`:
 * what is in it is run.
 */
export function runWithCodeCache(file: string, options: { folder: string; topic: string }): void {
  const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`;
  const { mtimeMs, size } = statSync(file);
  const key = `${process.version} ${file} ${size} ${mtimeMs}`;
  const topic = /^[a-z-]{1,20}$/.test(options.topic) ? options.topic : 'other';
  const path = join(options.folder, `${topic}.${process.arch}`);
  const found = readCache(path, key);
  const script = new Script(source, { filename: file, cachedData: found?.code });
  const { code: known, writers } = found && !script.cachedDataRejected ? found : { code: undefined, writers: 0 };
  process.on('exit', status => {
    if (status !== 0 || (writers >= writersAtFirst && performance.now() < longEnough)) return;
    // Who has removed the helper wants nothing of it to come back.
    if (!existsSync(file)) return;
    const code = script.createCachedData();
    const isWarmer = known === undefined || code.length > known.length * 1.02;
    if (isWarmer || writers < writersAtFirst) writeCache(path, key, { code, writers: writers + 1 });
  });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
}

/** V8 takes damaged code and falls over it later: the checksum is ours. */
function readCache(path: string, key: string): Cache | undefined {
  try {
    const file = openSync(path, 'r');
    try {
      const { uid, mode } = fstatSync(file);
      if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return undefined;
      const bytes = readFileSync(file);
      const end = bytes.indexOf('\n');
      const [writtenFor, writers, sum] = bytes.toString('utf8', 0, end).split('\t');
      const code = bytes.subarray(end + 1);
      return writtenFor === key && hash('sha256', code) === sum ? { code, writers: Number(writers) } : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

/** Where it can't be written, the next process compiles again. */
function writeCache(path: string, key: string, { code, writers }: Cache): void {
  const head = Buffer.from(`${key}\t${writers}\t${hash('sha256', code)}\t`);
  // V8 uses code in place that begins at such a place.
  const filler = ' '.repeat(64 - ((head.length + 1) % 64));
  const part = `${path}.${process.pid}`;
  try {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { mode: 0o700 });
    const file = openSync(part, 'wx', 0o600);
    try {
      writevSync(file, [head, Buffer.from(`${filler}\n`), code]);
      renameSync(part, path);
    } catch {
      unlinkSync(part);
    } finally {
      closeSync(file);
    }
  } catch {
    // There is no place to keep it.
  }
}
