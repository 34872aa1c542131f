import { spawn } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { removeTree } from './remove-tree.ts';
import { resolveInside } from './rootfs-path.ts';
import { fromText, toBytes, toText, walkTree } from './tree.ts';

/** `URL#REF:FOLDER`, taken apart. */
export interface Repository {
  url: string;
  isSsh: boolean;
  /** Branch, tag or commit; undefined for the default branch. */
  ref?: string;
  /** Below the top of the repository. */
  folder?: string;
}

export interface CloneOptions {
  isGitKept: boolean;
  /** The beginning of the commit that it must be. */
  checksum?: string;
  /** The agent's socket, where the caller lends it; without it nothing is fetched over SSH. */
  agent?: string;
  /** For proxies. */
  environment: Record<string, string>;
  signal?: AbortSignal;
}

/** Whether ADD takes this for a repository: SSH, the protocol of git, or a path that ends in `.git`. */
export function isRepository(word: string): boolean {
  return /^(git@|git:\/\/|ssh:\/\/)|^https?:\/\/[^#?]+\.git(#|$)/.test(word);
}

/**
 * Reads the address of a repository (Docker build reference, "URL fragments"). What git could take for an option, or for
 * a program to run, is refused: a Failure `image/invalid-dockerfile`.
 */
export function parseRepository(word: string): Repository {
  const at = word.indexOf('#');
  const url = at < 0 ? word : word.slice(0, at);
  const [ref = '', folder = '', more] = at < 0 ? [] : word.slice(at + 1).split(':');
  const isScp = /^git@[\w.-]+:(?!-)[^\s\0]+$/.test(url);
  const parsed = isScp ? undefined : URL.parse(url);
  const isKnown = ['https:', 'http:', 'git:', 'ssh:'].includes(parsed?.protocol ?? '');
  const isHost = parsed !== undefined && parsed !== null && parsed.hostname !== '' && !/^[-.]/.test(parsed.hostname);
  const isSafe = isScp || (isKnown && isHost && !/^-/.test(decode(parsed?.username ?? '')) && !/[\s\0]/.test(url));
  const isRef = ref === '' || (/^[\w][\w./+@-]*$/.test(ref) && !ref.includes('..') && !ref.includes('@{'));
  if (!isSafe || !isRef || more !== undefined || folder.includes('\0')) {
    throw new Failure('image/invalid-dockerfile', `${word} is no address of a repository that can be used`, {
      hint: 'It is https://HOST/PATH.git#REF:FOLDER or git@HOST:PATH#REF:FOLDER, with a branch, tag or commit for REF.',
    });
  }
  const isSsh = isScp || parsed?.protocol === 'ssh:';
  return { url, isSsh, ...(ref !== '' && { ref }), ...(folder !== '' && { folder }) };
}

/**
 * Checks a repository out into `place`, which is made, with the host's git. Modes are 0644 or 0755, as Docker has them.
 * Returns the folder that was asked for, and the commit. Throws a Failure `image/no-git`, `image/no-ssh`,
 * `image/add-failed`, or `image/digest-mismatch` where `checksum` is another.
 */
export async function cloneRepository(
  repository: Repository,
  place: string,
  options: CloneOptions,
): Promise<{ folder: string; commit: string }> {
  const { url, isSsh, ref, folder } = repository;
  if (isSsh && options.agent === undefined) {
    throw new Failure('image/no-ssh', `${url} is fetched over SSH, and no key is lent to this build`, {
      hint: 'Start ssh-agent, ssh-add the key, and build with --ssh default.',
    });
  }
  mkdirSync(place, { recursive: true, mode: 0o755 });
  const git = (...args: string[]) => runGit(place, args, options);
  try {
    await git('init', '--quiet', '--template=');
    await git('remote', 'add', '--', 'origin', url);
    const commit = await fetchCommit(git, ref);
    if (options.checksum !== undefined && !commit.startsWith(options.checksum)) {
      throw new Failure('image/digest-mismatch', `${url} is at the commit ${commit}, not ${options.checksum}`);
    }
    await git('checkout', '--quiet', '--force', '--detach', commit);
    if (lstatSync(join(place, '.gitmodules'), { throwIfNoEntry: false })?.isFile()) {
      await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1');
    }
    return { folder: await tidy(place, folder, options), commit };
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (cause instanceof Failure) throw cause;
    throw new Failure('image/add-failed', `${url}${ref ? `#${ref}` : ''} could not be fetched`, { cause });
  }
}

type Git = (...args: string[]) => Promise<string>;

/** As little of the history as the server lets be asked for. */
async function fetchCommit(git: Git, ref: string | undefined): Promise<string> {
  const fetch = ['fetch', '--quiet', '--no-tags'];
  try {
    await git(...fetch, '--depth', '1', '--', 'origin', ref ?? 'HEAD');
    return (await git('rev-parse', '--verify', '--quiet', 'FETCH_HEAD^{commit}')).trim();
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    // Not every server gives a single commit, and none one by half of its name.
    if (ref === undefined) await git(...fetch, '--', 'origin', 'HEAD');
    else await git(...fetch, '--', 'origin', '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*');
    for (const name of ref === undefined ? ['FETCH_HEAD'] : [`refs/remotes/origin/${ref}`, `refs/tags/${ref}`, ref]) {
      const found = await git('rev-parse', '--verify', '--quiet', `${name}^{commit}`).catch(() => '');
      if (found !== '') return found.trim();
    }
    throw cause;
  }
}

/** Gives modes that do not depend on the caller, and finds the folder, which no link leads out of. */
async function tidy(place: string, folder: string | undefined, options: CloneOptions): Promise<string> {
  const root = fromText(place);
  const top = folder === undefined ? '' : resolveInside(root, fromText(folder));
  const wanted = top === '' ? root : `${root}/${top}`;
  if (!lstatSync(toBytes(wanted), { throwIfNoEntry: false })?.isDirectory() || /^\.git(\/|$)/.test(top)) {
    throw new Failure('image/no-such-source', `the repository has no folder ${folder}`);
  }
  const isGit = (path: string) => /(^|\/)\.git$/.test(path);
  const removed: string[] = [];
  for await (const { path, stat } of walkTree(wanted, { signal: options.signal })) {
    if (isGit(path) && !options.isGitKept) removed.push(path);
    const mode = stat.isDirectory() || (stat.mode & 0o100) !== 0 ? 0o755 : 0o644;
    if (stat.isDirectory() || stat.isFile()) chmodSync(toBytes(`${wanted}/${path}`), mode);
  }
  for (const path of removed) removeTree(toBytes(`${wanted}/${path}`));
  return toText(wanted);
}

/** What no repository may decide: programs that run, files of this machine, what is asked of the user. */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'credential.helper=',
  'filter.lfs.smudge=',
  'filter.lfs.process=',
  'filter.lfs.required=false',
  'advice.detachedHead=false',
  'fetch.recurseSubmodules=false',
  'gc.auto=0',
  // A server that says nothing for a minute is gone.
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=60',
];

function runGit(folder: string, args: string[], { agent, environment, signal }: CloneOptions): Promise<string> {
  const { PATH = '/usr/bin:/bin', HOME = '/' } = process.env;
  const env = {
    ...environment,
    PATH,
    HOME,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: agent === undefined ? 'https:http:git' : 'https:http:git:ssh',
    GIT_CEILING_DIRECTORIES: folder,
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    ...(agent !== undefined && { SSH_AUTH_SOCK: agent }),
  };
  const child = spawn('git', [...settings.flatMap(each => ['-c', each]), ...args], {
    cwd: folder,
    env,
    signal,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4000)));
  return new Promise((resolve, reject) => {
    child.on('error', cause => {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') reject(cause);
      else {
        const hint = 'Load the module of git, or build where it is installed.';
        reject(new Failure('image/no-git', 'ADD of a repository needs the program git, which is not here', { hint }));
      }
    });
    child.on('close', code => {
      if (code === 0) resolve(stdout);
      else reject(new Error(stderr.trim() || `git ${args[0]} ended with ${code}`));
    });
  });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '-';
  }
}
