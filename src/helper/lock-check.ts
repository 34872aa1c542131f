import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { findMount, parseMountInfo } from '#locks/mount-table.ts';
import { findBeegfsConfiguration, judgeMount, judgePath, judgeSilent } from '#locks/verdict.ts';
import type { LockFinding } from '#protocol/locks.ts';

/** Seconds that a file system has to answer; dead network mounts never do. */
const timeLimit = 5;

/** What the mount table of this machine says about the locks of the file systems of `paths`, which need not exist yet. */
export async function checkLocks(paths: readonly string[]): Promise<LockFinding[]> {
  const mountInfo = await readFile('/proc/self/mountinfo', 'utf8');
  return Promise.all([...new Set(paths)].map(path => checkPath(path, mountInfo)));
}

async function checkPath(path: string, mountInfo: string): Promise<LockFinding> {
  const mounts = parseMountInfo(mountInfo);
  const real = await findRealPath(path);
  if (real === undefined) return judgeSilent(path, findMount(mounts, path), timeLimit);
  const mount = findMount(mounts, real);
  if (!mount) return judgePath(path, '');
  const configuration = findBeegfsConfiguration(mount);
  const beegfsConfiguration = configuration && (await readFile(configuration, 'utf8').catch(() => undefined));
  return judgeMount(path, mount, { beegfsConfiguration });
}

/** Undefined where the file system does not answer. In a process of its own: a call into a dead mount can't be given up. */
function findRealPath(path: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const timer = setTimeout(() => {
      child.unref();
      child.kill('SIGKILL');
      resolve(undefined);
    }, timeLimit * 1000);
    const child = execFile('readlink', ['-m', '--', path], { encoding: 'utf8' }, (error, stdout) => {
      clearTimeout(timer);
      // A readlink without `-m` (busybox) takes the path as it is: symbolic links then stay unresolved.
      resolve(error ? path : stdout.replace(/\n$/, ''));
    });
  });
}
