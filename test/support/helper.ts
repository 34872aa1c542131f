// The helper as it runs on a cluster: its bundle with the kit's programs in a folder that the test's user can read, and
// a client that talks to `serve` over real pipes.
import { type ChildProcess, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { buildHelper } from '../../scripts/helper-bundle.ts';
import { environmentOf, isRoot, makeFolder, runAs, spawnAs, type User } from './machine.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface InstalledHelper {
  user: User;
  /** Path of a Node that the user can execute. */
  node: string;
  bundle: string;
  /** `CWL_ON_CLUSTERS_HOME` of the programs that are started here. */
  home: string;
  folder: string;
  /** Runs a command of the helper to its end. */
  run(args: string[], options?: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string }): ReturnType<typeof runAs>;
  serve(): Served;
  remove(): void;
}

export interface Served {
  connection: MessageConnection;
  child: ChildProcess;
  /** What it has written to stderr. */
  errors(): string;
  /** Ends its stdin, and waits for it to end. */
  close(): Promise<void>;
}

/** Builds the bundle from the sources as they are now. */
export async function installHelper(user: User): Promise<InstalledHelper> {
  const place = makeFolder(user, 'cwl-helper-');
  const folder = place.path;
  const bundle = join(folder, 'helper.cjs');
  await buildHelper(folder, { logLevel: 'error' });
  const kit = join(root, 'dist', 'kit', `linux-${process.arch}`, 'bin');
  if (existsSync(kit)) cpSync(kit, join(folder, 'bin'), { recursive: true });
  const node = findNode(user, folder);
  const home = join(folder, 'home');
  const env = (extra: NodeJS.ProcessEnv = {}) => ({ CWL_ON_CLUSTERS_HOME: home, ...extra });
  if (isRoot) spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
  return {
    user,
    node,
    bundle,
    home,
    folder,
    run: (args, options = {}) =>
      runAs(user, node, [bundle, ...args], { cwd: folder, ...options, env: env(options.env) }),
    serve: () => connect(spawnAs(user, node, [bundle, 'serve'], { cwd: folder, env: env(), stdio: 'pipe' })),
    remove: place.remove,
  };
}

function connect(child: ChildProcess): Served {
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const exit = new Promise<void>(resolve => child.on('exit', () => resolve()));
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('serve has no pipes');
  stdin.on('error', () => {});
  const connection = createMessageConnection(new StreamMessageReader(stdout), new StreamMessageWriter(stdin));
  connection.onError(() => {});
  connection.listen();
  return {
    connection,
    child,
    errors: () => errors,
    async close() {
      stdin.end();
      await exit;
      connection.dispose();
    },
  };
}

/** The Node of this test, or a copy where the user can't reach it. */
function findNode(user: User, folder: string): string {
  const ids = isRoot ? { uid: user.uid, gid: user.gid } : {};
  const can = spawnSync(process.execPath, ['--version'], { ...ids, cwd: '/', env: environmentOf(user) });
  if (can.status === 0) return process.execPath;
  const copy = join(folder, 'node');
  copyFileSync(process.execPath, copy);
  chmodSync(copy, 0o755);
  return copy;
}
