import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import { Failure } from '#base/failure.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { findHome, type Home } from './home.ts';
import { removeTree } from './remove-tree.ts';
import { answerRequests } from './serve.ts';

/** `serve`: JSON-RPC 2.0 on stdin and stdout, until stdin ends. Nothing else is ever written to stdout. */
export const serve: HelperCommand = async ({ args, stderr, signal }) => {
  if (args.length > 0) throw usageFailure(`serve takes no arguments, not ${args.join(' ')}`);
  const home = findHome();
  await prepare(home);
  // What a library might print would end up between the messages.
  for (const name of ['log', 'info', 'debug', 'warn', 'error'] as const) {
    console[name] = (...words: unknown[]) => stderr(`${words.map(String).join(' ')}\n`);
  }
  const log = (message: string) => stderr(`${message}\n`);
  const connection = createMessageConnection(
    new StreamMessageReader(process.stdin),
    new StreamMessageWriter(process.stdout),
    { error: log, warn: log, info: () => {}, log: () => {} },
  );
  const end = new AbortController();
  answerRequests(connection, home, log, end.signal);
  const ended = new Promise<void>(resolve => {
    signal.addEventListener('abort', () => resolve());
    connection.onClose(() => resolve());
    process.stdin.on('end', () => resolve());
    // The near end is gone: there is nobody to answer.
    process.stdout.on('error', () => resolve());
  });
  connection.listen();
  await ended;
  end.abort();
  connection.dispose();
  return 0;
};

async function prepare(home: Home): Promise<void> {
  try {
    await mkdir(home.runs, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Failure('helper/not-writable', `${home.runs} can't be made`, {
      cause: error,
      hint: 'Set CWL_ON_CLUSTERS_HOME to a folder that you can write.',
    });
  }
  // A removal that was cut short goes on.
  for (const name of await readdir(home.runs)) {
    if (name.startsWith('.removed.')) void removeTree(join(home.runs, name)).catch(() => {});
  }
}
