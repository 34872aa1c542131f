import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Failure, isFailure } from '#base/failure.ts';
import type { KitPiece } from '#base/kit.ts';
import { LineSplitter } from '#base/lines.ts';
import type { Progress } from '#base/log.ts';
import type { Connection, RemoteProcess } from '#ssh/connection.ts';
import { Cksum } from './cksum.ts';
import { findClientName } from './client-name.ts';
import { defaultFolder } from './folder-template.ts';
import type { FolderReport, HostReport, Installed } from './host-report.ts';
import { type PlannedPiece, planInstall } from './install-script.ts';
import { type LocalKit, openPiece } from './local-kit.ts';

export interface InstallOptions {
  onProgress?(progress: Progress): void;
  signal?: AbortSignal;
}

/**
 * Puts a kit on the host that `report` describes, in one channel: uploads the bytes that are missing there, verifies,
 * publishes. A broken upload is taken up where it broke. Throws a Failure (`remote/...`), and leaves no half kit then.
 */
export async function installKit(
  connection: Connection,
  kits: readonly LocalKit[],
  report: HostReport,
  options: InstallOptions = {},
): Promise<Installed> {
  if (report.installed) return report.installed;
  const kit = kits.find(each => each.platform === report.platform);
  if (!kit) throw unsupported(report);
  const place = report.folders[0] as FolderReport;
  checkFolder(place, report, kit);
  const wanted = kit.pieces.filter(piece => !report.node || piece.path !== kit.runtime.archive);
  const pieces = await Promise.all(wanted.map(piece => checkPiece(kit, piece, !report.hasSha256)));
  const attempt = () => new Installation(connection, kit, pieces, place.path, report).run(options);
  return attempt().catch(error => {
    // What was left of a broken upload did not fit together, and is gone now: once more, from nothing.
    if (!isFailure(error, 'remote/damaged')) throw error;
    return attempt();
  });
}

class Installation {
  readonly #connection: Connection;
  readonly #kit: LocalKit;
  readonly #pieces: PlannedPiece[];
  readonly #home: string;
  readonly #report: HostReport;
  readonly #offsets: number[] = [];
  #done: string | undefined;
  #failure: Failure | undefined;

  constructor(connection: Connection, kit: LocalKit, pieces: PlannedPiece[], home: string, report: HostReport) {
    this.#connection = connection;
    this.#kit = kit;
    this.#pieces = pieces;
    this.#home = home;
    this.#report = report;
  }

  async run({ onProgress, signal }: InstallOptions): Promise<Installed> {
    const script = planInstall({
      home: this.#home,
      kit: this.#kit,
      pieces: this.#pieces,
      node: this.#report.node?.path,
      client: findClientName(),
      nonce: randomBytes(6).toString('hex'),
    });
    signal?.throwIfAborted();
    const child = await this.#connection.openProcess(script, { isPassing: true });
    const abort = () => child.kill();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-2000)));
      await this.#converse(child, onProgress);
      await child.exit;
      if (this.#done === undefined) {
        throw this.#failure ?? new Failure('remote/install', 'the installation broke off', { hint: stderr.trim() });
      }
      return this.#installed(this.#done);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#failure ?? error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async #converse(child: RemoteProcess, onProgress: InstallOptions['onProgress']): Promise<void> {
    const lines = new LineSplitter();
    let upload: Promise<void> = Promise.resolve();
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      for (const line of lines.push(chunk as string)) {
        const at = line.indexOf('=');
        const [key, value] = [line.slice(0, at), line.slice(at + 1)];
        if (key === 'have') this.#offsets.push(Number(value.split(' ')[1]));
        else if (key === 'go') upload = this.#upload(child, Number(value), onProgress);
        else if (key === 'unpack') onProgress?.({ what: 'unpacking the JavaScript runtime', done: 0, unit: 'steps' });
        else if (key === 'done') this.#done = value;
        else if (key === 'fail') this.#failure = explain(value, this.#report, this.#home);
      }
    }
    await upload;
  }

  async #upload(child: RemoteProcess, total: number, onProgress: InstallOptions['onProgress']): Promise<void> {
    let done = 0;
    const tell = () => onProgress?.({ what: 'uploading to the cluster', done, total, unit: 'bytes' });
    // The other side may end early, for want of space; it tells why on its output.
    let isOpen = true;
    const closed = Promise.race([once(child.stdin, 'close'), once(child.stdout, 'end')]).then(
      () => (isOpen = false),
      () => (isOpen = false),
    );
    child.stdin.on('error', () => (isOpen = false));
    for (const [index, piece] of this.#pieces.entries()) {
      const offset = this.#offsets[index] ?? 0;
      if (offset >= piece.size) continue;
      for await (const chunk of openPiece(this.#kit, piece, offset)) {
        if (!isOpen) return;
        if (!child.stdin.write(chunk)) await Promise.race([once(child.stdin, 'drain'), closed]);
        done += (chunk as Buffer).length;
        tell();
      }
    }
    if (isOpen) child.stdin.end();
  }

  #installed(node: string): Installed {
    const { platform, digest } = this.#kit;
    return { home: this.#home, platform, digest, helper: `${this.#home}/kit/${digest}/helper.cjs`, node };
  }
}

function checkFolder(place: FolderReport, report: HostReport, kit: LocalKit): void {
  if (!place.writable) throw explain(`not-writable ${place.path} is not writable`, report, place.path);
  if (!place.executable) throw explain('noexec', report, place.path);
  const needed = kit.pieces.reduce((sum, piece) => sum + piece.size, report.node ? 0 : kit.runtime.unpackedSize);
  if (place.quotaFreeBytes !== undefined && place.quotaFreeBytes < needed) {
    throw explain(`no-space the quota leaves ${toMegabytes(place.quotaFreeBytes)} MB`, report, place.path);
  }
  const archive = kit.pieces.find(piece => piece.path === kit.runtime.archive);
  const loader = `${place.path}/kit/runtime-${archive?.sha256.slice(0, 16)}/${kit.runtime.loader}\0`;
  if (!report.node && Buffer.byteLength(loader) > kit.runtime.interpreterLength) {
    throw new Failure('remote/folder', `the path ${place.path} is too long for the kit's JavaScript runtime`, {
      hint: 'Choose a shorter install folder in the settings of this cluster.',
    });
  }
}

function explain(value: string, report: HostReport, home: string): Failure {
  const [code = '', ...words] = value.split(' ');
  const text = words.join(' ');
  const others = report.folders
    .slice(1)
    .filter(each => each.writable)
    .map(describe);
  const elsewhere =
    `Choose another install folder in the settings of this cluster (${defaultFolder} is the default)` +
    (others.length > 0 ? `: ${others.join(', ')}.` : '.');
  switch (code) {
    case 'no-space':
      return new Failure('remote/no-space', `there is no room for the kit in ${home}: ${text}`, { hint: elsewhere });
    case 'not-writable':
      return new Failure('remote/not-writable', `the kit can't be put into ${home}: ${text}`, { hint: elsewhere });
    case 'noexec':
      return new Failure('remote/noexec', `programs in ${home} can't be run (the file system is mounted noexec)`, {
        hint: elsewhere,
      });
    case 'damaged':
      return new Failure('remote/damaged', `a piece of the kit arrived damaged (${text})`, { hint: 'Connect again.' });
    case 'runtime':
      return new Failure('remote/runtime', `the JavaScript runtime does not start on ${report.hostname}: ${text}`, {
        hint: 'Load a newer Node on the cluster (module load nodejs) in the start-up file of your shell.',
      });
    default:
      return new Failure('remote/install', `the kit could not be installed in ${home}: ${text}`);
  }
}

function describe(folder: FolderReport): string {
  return folder.freeBytes === undefined
    ? folder.path
    : `${folder.path} (${toMegabytes(folder.quotaFreeBytes ?? folder.freeBytes)} MB free)`;
}

function toMegabytes(bytes: number): number {
  return Math.floor(bytes / 1e6);
}

function unsupported(report: HostReport): Failure {
  return new Failure('remote/unsupported', `${report.hostname} is ${report.system}, for which there is no kit`, {
    hint: 'Linux on x86-64 and arm64 is supported. Choose another login node.',
  });
}

/** A kit that is damaged here already is not sent. */
async function checkPiece(kit: LocalKit, piece: KitPiece, needsCrc: boolean): Promise<PlannedPiece> {
  const cksum = new Cksum();
  const hash = createHash('sha256');
  for await (const chunk of openPiece(kit, piece)) {
    if (needsCrc) cksum.update(chunk as Buffer);
    hash.update(chunk as Buffer);
  }
  if (hash.digest('hex') !== piece.sha256) {
    throw new Failure('remote/no-kit', `${piece.path} of the kit in ${kit.folder} is damaged`, {
      hint: 'Install the extension again, or run `npm run build` in a checkout.',
    });
  }
  return { ...piece, crc: needsCrc ? cksum.digest() : 0 };
}
