import { hostname, userInfo } from 'node:os';
import { isAbsolute } from 'node:path';
import {
  type MessageConnection,
  type NotificationType,
  type RequestType,
  type RequestType0,
  ResponseError,
} from 'vscode-jsonrpc/node';
import { Failure, formatFailure, isFailure } from '#base/failure.ts';
import type { Problem } from '#base/problem.ts';
import { version } from '#base/version.ts';
import * as protocol from '#protocol/messages.ts';
import { findTaskSandbox } from '#runner/task-sandboxes.ts';
import { explainSystemError } from './explain.ts';
import { FileServer } from './files.ts';
import type { Home } from './home.ts';
import { checkLocks } from './lock-check.ts';
import { readLog, watchLog } from './logs.ts';
import {
  type Fields,
  takeCount,
  takeLogKey,
  takeOptionalText,
  takeRunRequest,
  takeText,
  takeTexts,
  toFields,
} from './parameters.ts';
import { RunCatalog } from './run-catalog.ts';
import { cancelRun, removeRun } from './run-end.ts';
import { resumeRun, startRun } from './run-start.ts';
import { watchRuns } from './run-watch.ts';
import { findMissing, putSource, verifySource } from './sources.ts';

// biome-ignore lint/suspicious/noExplicitAny: what comes in is checked, whatever it is declared to be.
type Request<R> = RequestType<any, R, protocol.FailureData> | RequestType0<R, protocol.FailureData>;

/** Answers all requests of the protocol on `connection`, and tells what changes, until `signal` aborts. */
export function answerRequests(
  connection: MessageConnection,
  home: Home,
  log: (message: string) => void,
  signal: AbortSignal,
): void {
  const catalog = new RunCatalog(home);
  const watching = watchRuns(
    catalog,
    {
      changed: detail => void tell(protocol.runChanged, detail),
      removed: id => void tell(protocol.runRemoved, { id }),
    },
    signal,
  );
  const files = new FileServer(catalog);
  const tails = new Map<string, AbortController>();

  const answer = <R>(type: Request<R>, handler: (fields: Fields) => R | Promise<R>) => {
    connection.onRequest(type.method, async (parameters: unknown): Promise<unknown> => {
      try {
        return await handler(toFields(parameters ?? {}));
      } catch (error) {
        throw toResponseError(error, type.method, log);
      }
    });
  };
  const tell = async <P>(type: NotificationType<P>, parameters: P): Promise<void> => {
    if (!signal.aborted) await connection.sendNotification(type.method, parameters).catch(() => {});
  };

  answer(
    protocol.hello,
    (): protocol.Hello => ({
      protocol: protocol.protocolVersion,
      version,
      pid: process.pid,
      hostname: hostname(),
      user: findUserName(),
      home: home.folder,
    }),
  );

  // A self-test is only loaded, and run, when it is asked for.
  answer(protocol.probe, async fields => (await import('./probe-host.ts')).probeHost({ fresh: fields.fresh === true }));
  answer(protocol.listNodes, async () => (await import('./probe-host.ts')).listNodes());

  answer(protocol.findMissingSources, async fields => ({
    missing: await findMissing(home, takeTexts(fields, 'digests')),
  }));
  answer(protocol.putSource, fields =>
    putSource(home, takeText(fields, 'digest'), takeText(fields, 'base64')).then(toNull),
  );
  answer(protocol.verifySource, fields =>
    verifySource(home, takeText(fields, 'digest'), takeOptionalText(fields, 'part')).then(toNull),
  );

  // As with a self-test, the rooms behind images are only loaded for a run that names some.
  answer(protocol.findWantedImages, async fields =>
    (await import('./image-requests.ts')).findWanted(home, fields, signal),
  );
  answer(protocol.findWantedBlobs, async fields => (await import('./image-requests.ts')).findBlobs(home, fields));
  answer(protocol.publishBlob, async fields =>
    (await import('./image-requests.ts')).publish(home, fields, signal).then(toNull),
  );
  answer(protocol.deliverImage, async fields =>
    (await import('./image-requests.ts')).deliver(home, fields).then(toNull),
  );

  answer(protocol.startRun, async fields => {
    // A run that had ended before the first look would never be told.
    await watching;
    const { run, locks } = await startRun(home, takeRunRequest(fields));
    for (const finding of locks) void tell(protocol.lockConflict, { ...finding, run: run.id });
    return { id: run.id };
  });
  answer(protocol.listRuns, () => catalog.list());
  answer(protocol.showRun, async fields => (await catalog.find(takeText(fields, 'id'))).toDetail());
  answer(protocol.cancelRun, async fields => cancelRun((await catalog.find(takeText(fields, 'id'))).run).then(toNull));
  answer(protocol.resumeRun, async fields =>
    resumeRun(home, (await catalog.find(takeText(fields, 'id'))).run).then(toNull),
  );
  answer(protocol.removeRun, async fields =>
    removeRun(home, (await catalog.find(takeText(fields, 'id'))).run).then(toNull),
  );

  answer(protocol.readLog, fields => readLog(catalog, takeLogKey(fields), takeCount(fields, 'offset')));
  answer(protocol.watchLog, async fields => {
    const key = takeLogKey(fields);
    const offset = takeCount(fields, 'offset');
    const name = JSON.stringify(key);
    tails.get(name)?.abort();
    await readLog(catalog, key, offset);
    const tail = new AbortController();
    tails.set(name, tail);
    void watchLog(catalog, key, offset, piece => tell(protocol.logAppended, { ...key, ...piece }), tail.signal)
      // The run was removed meanwhile.
      .catch(error => isFailure(error) || log(String(error)))
      .finally(() => tails.get(name) === tail && tails.delete(name));
    return null;
  });
  answer(protocol.unwatchLog, fields => {
    tails.get(JSON.stringify(takeLogKey(fields)))?.abort();
    return null;
  });
  signal.addEventListener('abort', () => {
    for (const tail of tails.values()) tail.abort();
  });

  answer(protocol.statFile, fields => files.stat(takeText(fields, 'path')));
  answer(protocol.listFiles, fields => files.list(takeText(fields, 'path')));
  answer(protocol.readFile, fields =>
    files.read(takeText(fields, 'path'), takeCount(fields, 'offset'), takeCount(fields, 'length')),
  );
  answer(protocol.openShell, fields => planShell(catalog, takeText(fields, 'run'), takeText(fields, 'task')));
  answer(protocol.checkLocks, fields => {
    const paths = takeTexts(fields, 'paths');
    const wrong = paths.find(path => !isAbsolute(path));
    if (wrong !== undefined) throw new Failure('helper/bad-request', `${wrong} is not an absolute path`);
    return checkLocks(paths);
  });
}

async function planShell(
  catalog: RunCatalog,
  run: string,
  task: string,
): Promise<{ arguments: string[]; commandLine: string }> {
  const reader = await catalog.find(run);
  const found = reader.findTask(task);
  if (!found) throw new Failure('run/no-task', `run ${run} has no task ${task}`);
  const description = findTaskSandbox(reader.run.folder, task);
  if (!description) {
    throw new Failure('run/no-sandbox', `${task} has not begun: there is no sandbox to open a shell in`, {
      hint: 'Wait until the step is running, or look why it could not start.',
    });
  }
  return { arguments: ['shell', run, task], commandLine: description.commandLine };
}

/** The code that all failures have on the wire; what kind they are stands in their data (JSON-RPC 2.0 §5.1). */
const failureCode = -32_000;
const bugCode = -32_603;

function toResponseError(
  caught: unknown,
  method: string,
  log: (message: string) => void,
): ResponseError<protocol.FailureData> {
  const error = explainSystemError(caught);
  if (isFailure(error)) {
    const { problems } = error as { problems?: Problem[] };
    const data = { code: error.code, hint: error.hint, problems };
    // The hint travels by itself.
    const message = formatFailure(error).slice(0, error.hint ? -error.hint.length - 1 : undefined);
    return new ResponseError(failureCode, message, data);
  }
  log(`a fault in the helper ${version}, in ${method}: ${error instanceof Error ? error.stack : String(error)}`);
  const text = error instanceof Error ? error.message : String(error);
  return new ResponseError(bugCode, `${method}: ${text}`, { code: 'helper/bug' });
}

function toNull(): null {
  return null;
}

/** The libc of the kit may not know the host's directory of users. */
function findUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? process.env.LOGNAME ?? String(process.getuid?.());
  }
}
