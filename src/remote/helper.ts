import {
  CancellationTokenSource,
  createMessageConnection,
  type MessageConnection,
  type NotificationType,
  type RequestParam,
  type RequestType,
  type RequestType0,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { formatCommand, quoteShell } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import type { Problem } from '#base/problem.ts';
import { type FailureData, type Hello, hello, protocolVersion } from '#protocol/messages.ts';
import type { Connection, RemoteProcess } from '#ssh/connection.ts';
import type { Installed } from './host-report.ts';

/** A Failure of the helper that is the fault of documents: each problem has its place. */
export class DocumentFailure extends Failure {
  readonly problems: Problem[];

  constructor(code: string, message: string, problems: Problem[], hint?: string) {
    super(code, message, { hint });
    this.problems = problems;
  }
}

/** The helper on the cluster, spoken to over one channel. */
export class Helper {
  readonly hello: Hello;
  /** Fulfilled when it is gone: with the reason, or undefined after `close`. */
  readonly closed: Promise<Failure | undefined>;
  readonly #wire: Wire;

  constructor(wire: Wire, answer: Hello) {
    this.#wire = wire;
    this.hello = answer;
    this.closed = wire.closed;
  }

  /** Throws what the helper failed with, as a Failure of the same code. */
  request<P, R>(type: RequestType<P, R, FailureData>, parameters: P, signal?: AbortSignal): Promise<R> {
    return this.#wire.send(token => this.#wire.rpc.sendRequest(type, parameters as RequestParam<P>, token), signal);
  }

  /** A request without parameters. */
  ask<R>(type: RequestType0<R, FailureData>, signal?: AbortSignal): Promise<R> {
    return this.#wire.send(token => this.#wire.rpc.sendRequest(type, token), signal);
  }

  /** Calls `listener` for every such notification until the returned function is called. */
  on<P>(type: NotificationType<P>, listener: (parameters: P) => void): () => void {
    const subscription = this.#wire.rpc.onNotification(type, listener);
    return () => subscription.dispose();
  }

  close(): void {
    this.#wire.close();
  }
}

/** Starts the helper and shakes hands with it. Throws a Failure with what it wrote to its standard error. */
export async function openHelper(
  connection: Connection,
  installed: Installed,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Helper> {
  signal?.throwIfAborted();
  const wire = new Wire(await connection.openProcess(planHelper(installed, ['serve'])), connection.host.hostName);
  try {
    const answer = await wire.send(token => wire.rpc.sendRequest(hello, token), signal);
    if (answer.protocol !== protocolVersion) {
      throw new Failure(
        'remote/protocol',
        `the helper on the cluster speaks protocol ${answer.protocol}, not ${protocolVersion}`,
        {
          hint: 'Install the helper again (CWL: Reinstall the helper).',
        },
      );
    }
    return new Helper(wire, answer);
  } catch (error) {
    wire.close();
    throw error;
  }
}

/** A script that runs a command of the installed helper in place of the shell. */
export function planHelper(installed: Installed, args: readonly string[]): string {
  const lines = [`CWL_ON_CLUSTERS_HOME=${quoteShell(installed.home)}; export CWL_ON_CLUSTERS_HOME`];
  // The kit's own Node brings its libraries; those of a loaded module could not be mixed with them.
  if (installed.node.startsWith(`${installed.home}/kit/`)) lines.push('unset LD_PRELOAD LD_LIBRARY_PATH');
  return [...lines, `exec ${formatCommand([installed.node, installed.helper, ...args])}`].join('\n');
}

/** The helper's process, and JSON-RPC on its standard streams. */
class Wire {
  readonly rpc: MessageConnection;
  readonly closed: Promise<Failure | undefined>;
  readonly #child: RemoteProcess;
  readonly #hostName: string;
  #stderr = '';
  #isClosing = false;

  constructor(child: RemoteProcess, hostName: string) {
    this.#child = child;
    this.#hostName = hostName;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-4000)));
    child.stdin.on('error', () => {});
    this.rpc = createMessageConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
    this.rpc.onError(() => {});
    this.rpc.listen();
    this.closed = child.exit.then(
      exit => this.#explainEnd(exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`),
      error => (this.#isClosing ? undefined : (error as Failure)),
    );
    // Requests that wait for an answer learn of the end.
    void this.closed.then(() => this.rpc.dispose());
  }

  async send<R>(start: (token: CancellationTokenSource['token']) => Promise<R>, signal?: AbortSignal): Promise<R> {
    signal?.throwIfAborted();
    const source = new CancellationTokenSource();
    const abort = () => source.cancel();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([start(source.token), this.closed.then(reason => this.#reject(reason))]);
    } catch (error) {
      signal?.throwIfAborted();
      throw await this.#toFailure(error);
    } finally {
      signal?.removeEventListener('abort', abort);
      source.dispose();
    }
  }

  close(): void {
    this.#isClosing = true;
    this.#child.close();
  }

  #reject(reason: Failure | undefined): never {
    throw reason ?? new Failure('remote/closed', `the connection to ${this.#hostName} was closed`);
  }

  #explainEnd(how: string): Failure | undefined {
    if (this.#isClosing) return undefined;
    // A stack tells a person nothing.
    const lines = this.#stderr.split('\n').filter(line => line.trim() !== '' && !/^\s+at /.test(line));
    const said = lines.slice(-8).join('\n');
    return new Failure('remote/helper', `the helper on ${this.#hostName} ended (${how})`, {
      hint: said ? `It said: ${said}` : 'Connect again; if it happens again, install the helper anew.',
    });
  }

  async #toFailure(error: unknown): Promise<unknown> {
    if (!(error instanceof ResponseError)) return error;
    const data = error.data as Partial<FailureData> | undefined;
    if (data?.code === undefined) {
      const reason = await Promise.race([this.closed, new Promise<undefined>(resolve => setTimeout(resolve, 200))]);
      return reason ?? new Failure('remote/answer', `the helper answered: ${error.message}`, { cause: error });
    }
    if (data.problems) return new DocumentFailure(data.code, error.message, data.problems, data.hint);
    return new Failure(data.code, error.message, { hint: data.hint });
  }
}
