import * as vscode from 'vscode';
import { Failure } from '#base/failure.ts';
import { type FileStat, listFiles, readFile, statFile } from '#protocol/messages.ts';
import type { Cluster } from '#remote/cluster.ts';
import { ByteCache } from './byte-cache.ts';
import { withProgress } from './cancellation.ts';
import { clusterScheme } from './cluster-uri.ts';
import type { Clusters } from './clusters.ts';
import { formatSize } from './format.ts';
import { loadLargestUnasked } from './settings.ts';

/** The most that one request for a part of a file may ask for (`readFile` of the protocol). */
const partSize = 1_048_576;
/** Bytes of files that are kept for a second look. */
const cacheSize = 64 * 1_048_576;
/** Files above this many bytes are fetched under a notification that can cancel it. */
const quietSize = 8 * 1_048_576;

/** Files of runs as the editor sees them: read-only, and fetched when they are looked at. */
export class ClusterFiles implements vscode.FileSystemProvider {
  readonly #clusters: Clusters;
  readonly #cache = new ByteCache(cacheSize);
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#changed.event;

  constructor(context: vscode.ExtensionContext, clusters: Clusters) {
    this.#clusters = clusters;
    const options = { isReadonly: true, isCaseSensitive: true };
    context.subscriptions.push(
      this.#changed,
      vscode.workspace.registerFileSystemProvider(clusterScheme, this, options),
    );
  }

  /** Nobody tells when a file changes; it is looked at again when it is opened again. */
  watch(): vscode.Disposable {
    return { dispose() {} };
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const stat = await this.#ask(uri, cluster => cluster.request(statFile, { path: uri.path }));
    const { size, modified } = stat;
    return { type: toType(stat), size, mtime: modified, ctime: modified, permissions: vscode.FilePermission.Readonly };
  }

  async readDirectory(uri: vscode.Uri): Promise<[string, vscode.FileType][]> {
    const { entries } = await this.#ask(uri, cluster => cluster.request(listFiles, { path: uri.path }));
    return entries.map(entry => [entry.name, toType(entry)]);
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    return this.#ask(uri, async cluster => {
      const { size, modified } = await cluster.request(statFile, { path: uri.path });
      const key = `${uri.authority}\n${uri.path}\n${size}\n${modified}`;
      const known = this.#cache.find(key);
      if (known) return known;
      await this.#confirmSize(uri, size);
      const name = uri.path.split('/').pop() ?? uri.path;
      const bytes =
        size <= quietSize
          ? await fetchAll(cluster, uri.path, size)
          : await withProgress(`Fetching ${name}`, (tell, signal) =>
              fetchAll(cluster, uri.path, size, signal, done =>
                tell(`${formatSize(done)} of ${formatSize(size)}`, (100 * done) / size),
              ),
            );
      this.#cache.keep(key, bytes);
      return bytes;
    });
  }

  createDirectory(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  writeFile(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  delete(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  rename(uri: vscode.Uri): never {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  async #confirmSize(uri: vscode.Uri, size: number): Promise<void> {
    if (size <= loadLargestUnasked()) return;
    const name = uri.path.split('/').pop();
    const message = `${name} is ${formatSize(size)}. Fetch it from ${uri.authority} to show it?`;
    const detail = '“Download Output…” saves it to a file instead.';
    const chosen = await vscode.window.showWarningMessage(message, { modal: true, detail }, 'Fetch');
    if (chosen === undefined) throw vscode.FileSystemError.Unavailable('The file was not fetched.');
  }

  /** An editor that is opened again with the window asks nobody for a password. */
  async #ask<R>(uri: vscode.Uri, question: (cluster: Cluster) => Promise<R>): Promise<R> {
    try {
      return await question(await this.#clusters.connect(uri.authority, { isSilent: true }));
    } catch (error) {
      throw toFileError(error, uri);
    }
  }
}

async function fetchAll(
  cluster: Cluster,
  path: string,
  size: number,
  signal?: AbortSignal,
  onProgress?: (done: number) => void,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  while (at < size) {
    const part = { path, offset: at, length: Math.min(partSize, size - at) };
    const { base64 } = await cluster.request(readFile, part, signal);
    const chunk = Buffer.from(base64, 'base64');
    // It was made shorter meanwhile.
    if (chunk.length === 0) break;
    bytes.set(chunk.subarray(0, size - at), at);
    at += chunk.length;
    onProgress?.(Math.min(at, size));
  }
  return at < size ? bytes.subarray(0, at) : bytes;
}

function toType({ type }: FileStat): vscode.FileType {
  if (type === 'directory') return vscode.FileType.Directory;
  return type === 'file' ? vscode.FileType.File : vscode.FileType.Unknown;
}

function toFileError(error: unknown, uri: vscode.Uri): unknown {
  if (!(error instanceof Failure)) return error;
  const text = [error.message, error.hint].filter(Boolean).join('. ');
  if (error.code === 'file/not-found') return vscode.FileSystemError.FileNotFound(uri);
  if (error.code.startsWith('file/')) return vscode.FileSystemError.NoPermissions(text);
  return vscode.FileSystemError.Unavailable(text);
}
