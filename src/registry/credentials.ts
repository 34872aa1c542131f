import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';

/** For one registry. Never logged, never written anywhere. */
export interface Credentials {
  username: string;
  password: string;
  /** Set instead of a password by registries with an OAuth2 login. */
  identityToken?: string;
}

/**
 * Finds what a person's `docker login` left for an image; undefined where there is nothing. `note` is told what stood in
 * the way, for the hint of a failure that may follow.
 */
export type FindCredentials = (
  host: string,
  repository?: string,
  note?: (text: string) => void,
) => Promise<Credentials | undefined>;

interface DockerConfig {
  auths?: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

/**
 * Reads `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`, and podman's `auth.json`, whose entries may be for a part
 * of a registry (containers-auth.json(5)), with the programs that they name (docker/docker-credential-helpers).
 */
export async function findDockerCredentials(
  host: string,
  repository = '',
  note: (text: string) => void = () => {},
): Promise<Credentials | undefined> {
  const keys = findKeys(host, repository);
  for (const path of configPaths()) {
    const config = readConfig(path);
    if (!config) continue;
    const helper = keys.map(key => config.credHelpers?.[key]).find(Boolean) ?? config.credsStore;
    // Programs know hosts, not repositories.
    for (const key of helper ? keys.filter(each => !each.startsWith(`${host}/`)) : []) {
      const found = await askHelper(helper as string, key, text => note(`${text} (${path} names it)`));
      if (found) return found;
    }
    for (const key of keys) {
      const found = fromEntry(config.auths?.[key]);
      if (found) return found;
    }
  }
  return undefined;
}

/** Under which names a registry may stand, the nearest to the repository first. */
function findKeys(host: string, repository: string): string[] {
  const parts = repository.split('/').filter(Boolean);
  const parents = parts.map((_, index) => [host, ...parts.slice(0, parts.length - index)].join('/'));
  const own =
    host === 'docker.io'
      ? ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io']
      : [host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`];
  return [...parents, ...own];
}

function configPaths(): string[] {
  const { DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = process.env;
  const paths = [join(DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json')];
  if (REGISTRY_AUTH_FILE) paths.unshift(REGISTRY_AUTH_FILE);
  if (XDG_RUNTIME_DIR) paths.push(join(XDG_RUNTIME_DIR, 'containers', 'auth.json'));
  paths.push(join(XDG_CONFIG_HOME || join(homedir(), '.config'), 'containers', 'auth.json'));
  return paths;
}

function readConfig(path: string): DockerConfig | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(text) as DockerConfig;
  } catch {
    // The parser's message would quote the file, and the file holds passwords.
    throw new Failure('image/credentials', `${path} is not JSON`, { hint: 'Repair it, or run `docker login` again.' });
  }
}

function fromEntry(entry: NonNullable<DockerConfig['auths']>[string] | undefined): Credentials | undefined {
  if (!entry) return undefined;
  const decoded = Buffer.from(entry.auth ?? '', 'base64')
    .toString('utf8')
    .replace(/\0+$/, '');
  const colon = decoded.indexOf(':');
  const username = entry.username ?? decoded.slice(0, Math.max(colon, 0));
  const password = entry.password ?? decoded.slice(colon + 1);
  if (entry.identitytoken) return { username, password, identityToken: entry.identitytoken };
  return username && password ? { username, password } : undefined;
}

/** Milliseconds: some ask a person to unlock a key ring. */
const helperPatience = 60_000;

function askHelper(name: string, key: string, note: (text: string) => void): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    note(`${JSON.stringify(program)} is no name of a program`);
    return Promise.resolve(undefined);
  }
  return new Promise((resolve, reject) => {
    const options = { timeout: helperPatience, env: { ...process.env, PATH: findSearchPath() } };
    const child = execFile(program, ['get'], options, (error, stdout) => {
      if (error) {
        if (error.killed) note(`${program} did not answer within ${helperPatience / 1000} s`);
        else if (typeof error.code !== 'number') note(`${program} can't be run on this machine`);
        // It exits with 1 for a host that it does not know. What it printed may be a secret.
        resolve(undefined);
        return;
      }
      try {
        const { Username, Secret } = JSON.parse(stdout) as { Username?: string; Secret?: string };
        if (!Secret) resolve(undefined);
        else if (Username === '<token>') resolve({ username: '', password: '', identityToken: Secret });
        else resolve({ username: Username ?? '', password: Secret });
      } catch {
        reject(new Failure('image/credentials', `${program} answered what is not JSON`));
      }
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(key);
  });
}

/** An editor that was started from the Dock of macOS lacks the folders that a shell has. */
function findSearchPath(): string {
  const path = process.env.PATH ?? '';
  if (process.platform !== 'darwin') return path;
  const docker = '/Applications/Docker.app/Contents/Resources/bin';
  return [path, '/usr/local/bin', '/opt/homebrew/bin', docker].filter(Boolean).join(':');
}
