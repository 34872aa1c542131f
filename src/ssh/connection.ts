import type { Duplex, Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Client, ClientChannel, SFTPWrapper } from 'ssh2';
import type { Exit } from '#base/command.ts';
import { Failure, isFailure } from '#base/failure.ts';
import { Channels } from './channels.ts';
import { hopFailure, lostFailure } from './failures.ts';
import type { Host } from './host.ts';
import {
  MarkerSkipper,
  makeMarker,
  markScript,
  type Program,
  planShell,
  planTerminalShell,
  toScript,
} from './shell-script.ts';
import type { Transport } from './transport.ts';

/** What a program answered, and how it ended. */
export interface Answer {
  stdout: string;
  stderr: string;
  exit: Exit;
}

export interface ExecOptions {
  /** For the program's standard input; none: it is at its end at once. */
  stdin?: string | Buffer | Readable;
  signal?: AbortSignal;
}

/** A program on the host, with its streams. Start-up noise of the login shell is not in them. */
export interface RemoteProcess {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Fails with `ssh/lost` if the connection breaks, and with `ssh/no-shell` if the login shell never got to the program. */
  exit: Promise<Exit>;
  /** Closes its channel: its standard streams end. */
  close(): void;
  /** Sends SIGTERM, where the server takes such requests (OpenSSH 7.9 and newer), and closes its channel. */
  kill(): void;
}

/** A program on the host in a terminal of its own. */
export interface RemoteTerminal {
  stream: Duplex;
  exit: Promise<Exit>;
  resize(columns: number, rows: number): void;
  close(): void;
}

/** One login; every program, terminal and file transfer is a channel of it. */
export class Connection {
  readonly host: Host;
  /** A person was asked for a secret on the way in, so a new connection would ask again. */
  readonly wasAsked: boolean;
  /** Fulfilled at the end: with the Failure that ended it, or undefined after `close`. */
  readonly closed: Promise<Failure | undefined>;
  readonly #client: Client;
  readonly #transport: Transport;
  readonly #channels: Channels;
  #isClosing = false;

  constructor(host: Host, client: Client, transport: Transport, wasAsked: boolean) {
    this.host = host;
    this.wasAsked = wasAsked;
    this.#client = client;
    this.#transport = transport;
    this.#channels = new Channels(client, host);
    let cause: unknown;
    client.on('error', error => (cause = error));
    this.closed = new Promise(resolve => {
      client.once('close', () => {
        transport.close();
        resolve(this.#isClosing ? undefined : lostFailure(host, cause));
      });
    });
  }

  /** Runs to the end. A non-zero exit is an answer, not a failure. */
  async exec(program: Program, options: ExecOptions = {}): Promise<Answer> {
    // ssh2 sends no signal after an end of file, so a program without input gets its end of file from the shell.
    const hasInput = options.stdin !== undefined;
    const child = await this.openProcess(hasInput ? program : `exec </dev/null\n${toScript(program)}`, {
      isPassing: true,
    });
    let abort = () => {};
    // sshd closes the channel only when the program has ended, which may take its time.
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        child.kill();
        reject(options.signal?.reason);
      };
    });
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted) abort();
    try {
      const output = Promise.all([readText(child.stdout), readText(child.stderr), child.exit]);
      // A program may end without reading all of its input.
      child.stdin.on('error', () => {});
      if (typeof options.stdin === 'string' || Buffer.isBuffer(options.stdin)) child.stdin.end(options.stdin);
      else options.stdin?.pipe(child.stdin);
      const [stdout, stderr, exit] = await Promise.race([output, aborted]);
      return { stdout, stderr, exit };
    } finally {
      options.signal?.removeEventListener('abort', abort);
    }
  }

  /** Starts a program under `/bin/sh`, whatever the login shell. `isPassing`: it ends by itself, soon. */
  async openProcess(program: Program, { isPassing = false } = {}): Promise<RemoteProcess> {
    const marker = makeMarker();
    const script = markScript(toScript(program), marker);
    const channel = await this.#channels.open<ClientChannel>(
      (client, done) => client.exec(planShell(script), done),
      isPassing,
    );
    const stdout = channel.pipe(new MarkerSkipper(marker));
    const stderr = channel.stderr.pipe(new MarkerSkipper(marker));
    channel.write(script);
    const exit = this.#exitOf(channel).then(async ended => {
      if (!stdout.isFound) {
        stdout.resume();
        await finished(stdout).catch(() => {});
      }
      if (!stdout.isFound) throw this.#noShell([stdout.noise, stderr.noise].filter(Boolean).join('\n'));
      return ended;
    });
    // Whoever cares looks at it; nobody has to.
    exit.catch(() => {});
    const kill = () => {
      channel.signal('TERM');
      channel.close();
    };
    return { stdin: channel, stdout, stderr, exit, close: () => channel.close(), kill };
  }

  /** Opens a terminal (xterm-256color) with a program in it. */
  async openTerminal(program: Program, size: { columns: number; rows: number }): Promise<RemoteTerminal> {
    const pty = { cols: size.columns, rows: size.rows, term: 'xterm-256color' };
    const command = planTerminalShell(toScript(program));
    const channel = await this.#channels.open<ClientChannel>(
      (client, done) => client.exec(command, { pty }, done),
      false,
    );
    return {
      stream: channel,
      exit: this.#exitOf(channel),
      resize: (columns, rows) => channel.setWindow(rows, columns, 0, 0),
      close: () => channel.close(),
    };
  }

  /** The sftp subsystem; undefined where the host has none. Its requests are in `files.ts`. */
  async openSftp(): Promise<SFTPWrapper | undefined> {
    try {
      return await this.#channels.open<SFTPWrapper>((client, done) => client.sftp(done), true);
    } catch (error) {
      if (isFailure(error, 'ssh/channel')) return undefined;
      throw error;
    }
  }

  /** A TCP connection from the host to `target`: a hop of a jump chain. */
  forward(target: Host): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, target.hostName, target.port, (error, channel) => {
        if (error) reject(hopFailure(error, this.host, target));
        else resolve(channel);
      });
    });
  }

  /** Bytes on the wire (with SSH's own) and channels, since the beginning. */
  traffic(): { sent: number; received: number; channels: number } {
    return { ...this.#transport.traffic(), channels: this.#channels.count };
  }

  close(): void {
    this.#isClosing = true;
    this.#client.end();
  }

  #exitOf(channel: ClientChannel): Promise<Exit> {
    const exit = new Promise<Exit>((resolve, reject) => {
      let told: Exit | undefined;
      channel.on('exit', (code: number | null, signal?: string) => (told = { code, signal: signal ?? null }));
      channel.on('error', reject);
      // A channel that closes without telling the exit was cut off: by us, or with the connection.
      channel.on('close', () => (told ? resolve(told) : reject(lostFailure(this.host))));
    });
    // Whoever cares looks at it; nobody has to.
    exit.catch(() => {});
    return exit;
  }

  #noShell(noise: string): Failure {
    return new Failure('ssh/no-shell', `the login shell on ${this.host.hostName} did not start /bin/sh`, {
      hint: noise ? `It said: ${noise}` : 'It said nothing. Try ssh in a terminal.',
    });
  }
}

async function readText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
