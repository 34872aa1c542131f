import type { Readable } from 'node:stream';
import { quoteShell } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import type { Connection } from './connection.ts';
import { SftpFiles } from './sftp-files.ts';

/** Files of the host, over one channel or a few short ones. Paths are absolute. */
export interface RemoteFiles {
  readonly way: 'sftp' | 'shell';
  /** Bytes; undefined where there is no such file. */
  findSize(path: string): Promise<number | undefined>;
  /** Makes the folder and those above it, for the user alone. */
  makeFolder(path: string): Promise<void>;
  /** Writes `content` behind the first `offset` bytes of a file, which has just these or does not exist yet. */
  append(path: string, offset: number, content: AsyncIterable<Buffer>): Promise<void>;
  /** The bytes from `offset` on. */
  read(path: string, offset: number): AsyncIterable<Buffer>;
  remove(path: string): Promise<void>;
  close(): void;
}

/** Opens sftp; where the host has no such subsystem, the same is done with programs of the shell. */
export async function openFiles(connection: Connection): Promise<RemoteFiles> {
  const sftp = await connection.openSftp();
  return sftp ? new SftpFiles(sftp, connection.host, connection.closed) : new ShellFiles(connection);
}

/** `stat`, `cat` and `tail`, each in a channel of its own. */
class ShellFiles implements RemoteFiles {
  readonly way = 'shell';
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async findSize(path: string): Promise<number | undefined> {
    const name = quoteShell(path);
    const answer = await this.#run(`[ ! -e ${name} ] || stat -c %s ${name}`, path);
    return answer.trim() === '' ? undefined : Number(answer);
  }

  async makeFolder(path: string): Promise<void> {
    await this.#run(`mkdir -p -m 700 ${quoteShell(path)}`, path);
  }

  async append(path: string, offset: number, content: AsyncIterable<Buffer>): Promise<void> {
    const name = quoteShell(path);
    // Anything beyond `offset` came from an upload that is gone.
    const cut = `[ ! -e ${name} ] || [ "$(stat -c %s ${name})" = ${offset} ] || truncate -s ${offset} ${name}`;
    const child = await this.#connection.openProcess(`${cut} && cat >>${name}`, { isPassing: true });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.resume();
    let isOpen = true;
    const ended = child.exit.then(
      exit => exit,
      error => error as Failure,
    );
    void ended.then(() => (isOpen = false));
    child.stdin.on('error', () => {});
    try {
      for await (const chunk of content) {
        if (!isOpen) break;
        if (!child.stdin.write(chunk)) {
          await Promise.race([new Promise(resolve => child.stdin.once('drain', resolve)), ended]);
        }
      }
    } catch (error) {
      child.close();
      throw error;
    }
    if (isOpen) child.stdin.end();
    const exit = await ended;
    if (exit instanceof Failure) throw exit;
    if (exit.code !== 0) throw fileFailure(this.#connection.host.hostName, path, stderr);
  }

  async *read(path: string, offset: number): AsyncIterable<Buffer> {
    const child = await this.#connection.openProcess(`exec tail -c +${offset + 1} ${quoteShell(path)}`, {
      isPassing: true,
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    let isWhole = false;
    try {
      yield* child.stdout as Readable;
      const exit = await child.exit;
      isWhole = true;
      if (exit.code !== 0) throw fileFailure(this.#connection.host.hostName, path, stderr);
    } finally {
      if (!isWhole) child.close();
    }
  }

  async remove(path: string): Promise<void> {
    await this.#run(`rm -f ${quoteShell(path)}`, path);
  }

  close(): void {
    // Every channel has ended by itself.
  }

  async #run(script: string, path: string): Promise<string> {
    const { stdout, stderr, exit } = await this.#connection.exec(script);
    if (exit.code !== 0) throw fileFailure(this.#connection.host.hostName, path, stderr);
    return stdout;
  }
}

/** `reason` is what a program of the host, or its sftp server, said. */
export function fileFailure(hostName: string, path: string, reason: string, cause?: unknown): Failure {
  const text = reason.trim();
  if (/no such file/i.test(text))
    return new Failure('ssh/no-such-file', `there is no ${path} on ${hostName}`, { cause });
  if (/no space|quota/i.test(text)) {
    return new Failure('ssh/no-space', `${path} on ${hostName} could not be written: ${text}`, {
      hint: 'Free some space or quota there, or choose another install folder in the settings of this cluster.',
      cause,
    });
  }
  return new Failure('ssh/file', `${path} on ${hostName}: ${text || 'the transfer failed'}`, { cause });
}
