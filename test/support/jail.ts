// A root directory that holds nothing but the kit as the near end installs it: no libc, no shell, no tool of a host.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Kit } from '#base/kit.ts';
import { findUser, isRoot, makeFolder, needPackages, run } from './machine.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const kitFolder = join(root, 'dist/kit', `linux-${process.arch}`);

/** Why there can be no such root here; false where it can. Tests skip with it. */
export const noJail: string | false = !isRoot
  ? 'only root can change the root directory'
  : !existsSync(join(kitFolder, 'kit.json'))
    ? 'the kit is not built: npm run build'
    : false;

/** Kernels, and the last of their system calls on x86_64: what is newer is refused. */
export const kernels: readonly (readonly [name: string, lastCall: number | undefined])[] = [
  ['this kernel', undefined],
  ['the system calls of Linux 3.10', 313],
  ['the system calls of Linux 2.6.32', 298],
];

export interface Jail {
  /** On the host. */
  path: string;
  /** Writes a file; `path` is inside. */
  write(path: string, content: string | Buffer): void;
  /** Runs a program of the jail as the user of the tests, with /proc and /dev as every host has them. */
  run(argv: string[], lastCall?: number): SpawnSyncReturns<string>;
  /** The same with the helper's command line. */
  helper(args: string[], lastCall?: number): SpawnSyncReturns<string>;
  remove(): void;
}

export function makeJail(): Jail {
  needPackages('gcc', 'libc6-dev');
  const user = findUser();
  const { path, remove } = makeFolder(user, 'cwl-jail-');
  installKit(join(path, 'kit'));
  for (const name of ['proc', 'dev', 'tmp', 'home']) mkdirSync(join(path, name));
  for (const name of ['tmp', 'home']) run('chmod', ['1777', join(path, name)]);
  run('gcc', ['-static', '-o', join(path, 'old-kernel'), join(root, 'test/engine/programs/old-kernel.c')]);
  const jail: Jail = {
    path,
    remove,
    write: (name, content) => writeFileSync(join(path, name), content),
    run(argv, lastCall) {
      const script =
        'jail=$1; ids=$2; shift 2; mount -t proc proc "$jail/proc"; mount --rbind /dev "$jail/dev"; exec chroot --userspec="$ids" "$jail" "$@"';
      const command = lastCall === undefined ? argv : ['/old-kernel', String(lastCall), ...argv];
      return spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', path, `${user.uid}:${user.gid}`, ...command], {
        encoding: 'utf8',
        env: { HOME: '/home', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', CWL_ON_CLUSTERS_HOME: '/home/cwl' },
        timeout: 60_000,
      });
    },
    helper: (args, lastCall) => jail.run(['/kit/runtime/node', '/kit/helper.cjs', ...args], lastCall),
  };
  return jail;
}

function installKit(home: string): void {
  const kit = JSON.parse(readFileSync(join(kitFolder, 'kit.json'), 'utf8')) as Kit;
  mkdirSync(home);
  for (const piece of kit.pieces) cpSync(join(kitFolder, piece.source), join(home, piece.path), { recursive: true });
  run('tar', ['xzf', join(home, kit.runtime.archive), '-C', home]);
  rmSync(join(home, kit.runtime.archive));
  const loader = `/kit/${kit.runtime.loader}\0`;
  if (loader.length > kit.runtime.interpreterLength) throw new Error(`${loader} is too long for the kit's Node`);
  const node = openSync(join(home, kit.runtime.nodePath), 'r+');
  writeSync(node, loader, kit.runtime.interpreterOffset);
  closeSync(node);
}
