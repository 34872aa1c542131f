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

/** Finds what a person's `docker login` left for a host; undefined where there is nothing. */
export type FindCredentials = (host: string) => Promise<Credentials | undefined>;

interface DockerConfig {
  auths?: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

/**
 * Reads `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`, and podman's `auth.json`, with the programs that they
 * name (docker/docker-credential-helpers).
 */
export async function findDockerCredentials(host: string): Promise<Credentials | undefined> {
  for (const path of configPaths()) {
    const config = readConfig(path);
    if (!config) continue;
    const keys =
      host === 'docker.io'
        ? ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io']
        : [host, `https://${host}`];
    const helper = keys.map(key => config.credHelpers?.[key]).find(Boolean) ?? config.credsStore;
    for (const key of keys) {
      const found = (helper && (await askHelper(helper, key))) || fromEntry(config.auths?.[key]);
      if (found) return found;
    }
  }
  return undefined;
}

function configPaths(): string[] {
  const paths = [join(process.env.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json')];
  if (process.env.REGISTRY_AUTH_FILE) paths.unshift(process.env.REGISTRY_AUTH_FILE);
  if (process.env.XDG_RUNTIME_DIR) paths.push(join(process.env.XDG_RUNTIME_DIR, 'containers', 'auth.json'));
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

function askHelper(name: string, key: string): Promise<Credentials | undefined> {
  return new Promise((resolve, reject) => {
    const child = execFile(`docker-credential-${name}`, ['get'], { timeout: 30_000 }, (error, stdout) => {
      if (error) {
        // It exits with 1 for a host that it does not know.
        if (typeof error.code === 'number') resolve(undefined);
        else reject(new Failure('image/credentials', `docker-credential-${name} could not be run`, { cause: error }));
        return;
      }
      try {
        const { Username, Secret } = JSON.parse(stdout) as { Username?: string; Secret?: string };
        if (!Secret) resolve(undefined);
        else if (Username === '<token>') resolve({ username: '', password: '', identityToken: Secret });
        else resolve({ username: Username ?? '', password: Secret });
      } catch {
        reject(new Failure('image/credentials', `docker-credential-${name} answered what is not JSON`));
      }
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(key);
  });
}
