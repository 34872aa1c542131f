// What tests with real parts need of the machine: Debian packages and a user without rights. Nothing here is a mock.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const isRoot = process.getuid?.() === 0;

/** The unprivileged account of the tests; made on first use when root. */
export interface User {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

export function findUser(name = 'cwl-test'): User {
  let entry = lookUp(name);
  if (!entry && isRoot) {
    run('useradd', ['--create-home', '--shell', '/bin/bash', name]);
    entry = lookUp(name);
  }
  if (!entry) throw new Error(`no user ${name}, and only root can make one`);
  return entry;
}

/** Installs Debian packages that are missing; throws with what to do where that is impossible. */
export function needPackages(...packages: string[]): void {
  const missing = packages.filter(name => spawnSync('dpkg', ['-s', name], { stdio: 'ignore' }).status !== 0);
  if (missing.length === 0) return;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) throw new Error(`missing: apt-get install ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = () =>
    spawnSync(
      'apt-get',
      ['install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...missing],
      { env, encoding: 'utf8' },
    );
  let result = install();
  if (result.status !== 0) {
    spawnSync('apt-get', ['update', '-qq'], { env, stdio: 'ignore' });
    result = install();
  }
  if (result.status !== 0) throw new Error(`apt-get install ${missing.join(' ')}: ${result.stderr}`);
}

/** Spawns as `user` with a clean environment: HOME, USER, PATH, LANG and `options.env`. */
export function spawnAs(user: User, file: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const ids = isRoot ? { uid: user.uid, gid: user.gid } : {};
  return spawn(file, args, { cwd: user.home, ...options, ...ids, env: environmentOf(user, options.env) });
}

export function environmentOf(user: User, extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    SHELL: '/bin/bash',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    ...extra,
  };
}

/** Runs to the end as `user`. */
export async function runAs(
  user: User,
  file: string,
  args: string[],
  options: SpawnOptions & { input?: string } = {},
): Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }> {
  const child = spawnAs(user, file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A fresh directory that `user` owns and can reach; removed by the returned disposer. */
export function makeFolder(user: User, prefix = 'cwl-test-'): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(path, 0o755);
  if (isRoot) chownSync(path, user.uid, user.gid);
  return {
    path,
    remove() {
      // Rootfs trees hold directories without write permission.
      if (!isRoot) spawnSync('chmod', ['-R', 'u+rwX', path]);
      // A helper whose connection was closed a moment ago may still write to its home.
      rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

export function run(file: string, args: string[]): string {
  const result = spawnSync(file, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${result.stderr || result.error?.message}`);
  return result.stdout;
}

function lookUp(name: string): User | undefined {
  const line = spawnSync('getent', ['passwd', name], { encoding: 'utf8' }).stdout.trim();
  if (!line) return undefined;
  const [, , uid, gid, , home] = line.split(':');
  return { name, uid: Number(uid), gid: Number(gid), home: home ?? '/' };
}
