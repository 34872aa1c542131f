// What tests of the sandboxes need: the kit's static programs and a small root file system, where a user can read them.
import { spawn } from 'node:child_process';
import { chownSync, copyFileSync, cpSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command, Exit } from '#base/command.ts';
import type { Tools } from '#engine/sandbox.ts';
import { isRoot, makeFolder, needPackages, run, type User } from './machine.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Place {
  user: User;
  folder: string;
  tools: Tools;
  /** busybox and its links, nothing else. */
  rootfs: string;
  /** Makes a folder that the user owns. */
  makeFolder(name: string): string;
  /** Compiles a C program of the tests, statically: a file, or all files of a folder. */
  compile(source: string, name: string): string;
  /** Runs a command as the user, with exactly its environment. */
  run(command: Command, timeout?: number): Promise<Exit & { stdout: string; stderr: string }>;
  remove(): void;
}

export function makePlace(user: User): Place {
  needPackages('busybox-static', 'gcc', 'libc6-dev');
  const { path: folder, remove } = makeFolder(user, 'cwl-sandbox-');
  const bin = join(folder, 'bin');
  cpSync(join(root, 'native/bin', `linux-${process.arch}`), bin, { recursive: true });
  const rootfs = join(folder, 'rootfs');
  const own = (path: string) => {
    mkdirSync(path, { recursive: true });
    if (isRoot) chownSync(path, user.uid, user.gid);
    return path;
  };
  for (const name of ['', 'bin', 'etc', 'tmp', 'dev', 'proc', 'sys']) own(join(rootfs, name));
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const name of [
    'sh',
    'ls',
    'cat',
    'echo',
    'sleep',
    'id',
    'touch',
    'env',
    'true',
    'uname',
    'ps',
    'stat',
    'wc',
    'nc',
  ]) {
    symlinkSync('busybox', join(rootfs, 'bin', name));
  }
  return {
    user,
    folder,
    tools: {
      proot: join(bin, 'proot'),
      prootLoader: join(bin, 'proot-loader'),
      launcher: join(bin, 'launcher'),
      userns: join(bin, 'userns'),
    },
    rootfs,
    makeFolder: name => own(join(folder, name)),
    compile(source, name) {
      const program = join(folder, name);
      const path = join(root, source);
      const sources = statSync(path).isDirectory()
        ? readdirSync(path)
            .filter(file => file.endsWith('.c'))
            .map(file => join(path, file))
        : [path];
      run('gcc', ['-static', '-no-pie', '-O1', '-w', '-o', program, ...sources, '-lpthread', '-lrt']);
      return program;
    },
    run: (command, timeout = 60_000) => runCommand(user, command, timeout),
    remove,
  };
}

function runCommand(user: User, command: Command, timeout: number): ReturnType<Place['run']> {
  const ids = isRoot ? { uid: user.uid, gid: user.gid } : {};
  const [file = '', ...args] = command.argv;
  const child = spawn(file, args, { cwd: command.cwd, env: command.env, ...ids, timeout, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {}).end(command.stdin ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
