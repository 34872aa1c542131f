// Debian's docker-registry on loopback for one test: anonymous, basic or bearer token, http or https with a CA of its
// own. Any user can start it.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestImage } from './images.ts';
import { isRoot, needPackages, run } from './machine.ts';
import { startTokenServer, type TokenServer } from './token-server.ts';

/** Why no registry can be started here; undefined where it can. Tests skip with it. */
export const noRegistry: string | undefined =
  existsSync('/usr/bin/docker-registry') || (isRoot && existsSync('/usr/bin/apt-get'))
    ? undefined
    : 'docker-registry is not installed, and only root on Debian can install it';

export interface RegistryOptions {
  /** `basic` and `token` know one user, in `username` and `password`; `token` lets anyone pull `public/...`. */
  authentication?: 'none' | 'basic' | 'token';
  /** HTTPS with a certificate of `ca`, for `localhost` and 127.0.0.1. */
  tls?: boolean;
  /** Where the images are kept, and kept when the registry stops; default a folder that goes with it. */
  folder?: string;
  /** Default a free one. */
  port?: number;
}

export interface Registry {
  /** `http://127.0.0.1:40001`. */
  url: string;
  /** `127.0.0.1:40001`. */
  host: string;
  username: string;
  password: string;
  /** Path of the CA's certificate with `tls`: for NODE_EXTRA_CA_CERTS. */
  ca: string | undefined;
  /** What the registry wrote, one line per request. */
  log(): string;
  stop(): Promise<void>;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  needPackages('docker-registry');
  const folder = mkdtempSync(join(tmpdir(), 'cwl-registry-'));
  // Clients that are another user read the CA here.
  chmodSync(folder, 0o755);
  const port = options.port ?? (await findFreePort());
  const host = `127.0.0.1:${port}`;
  const url = `${options.tls ? 'https' : 'http'}://${host}`;
  const ca = options.tls ? makeCertificates(folder) : undefined;
  const tokens = options.authentication === 'token' ? await makeTokenServer(folder) : undefined;
  writeFileSync(join(folder, 'config.yml'), configuration(folder, host, options, tokens));
  const logs: string[] = [];
  const server = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [server.stdout, server.stderr]) stream.setEncoding('utf8').on('data', text => logs.push(text));
  const registry: Registry = {
    url,
    host,
    username: 'alice',
    password: 'wonder',
    ca,
    log: () => logs.join(''),
    async stop() {
      const ended = new Promise(resolve => server.once('exit', resolve));
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGTERM');
        await ended;
      }
      await tokens?.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await waitUntilUp(registry, server);
  return registry;
}

/** Pushes an image byte for byte as `library/alpine:latest` or the like: nothing is compressed or changed on the way. */
export async function pushImage(registry: Registry, name: string, image: TestImage): Promise<void> {
  const at = name.lastIndexOf(':');
  await pushManifest(registry, name.slice(0, at), name.slice(at + 1), image);
}

async function pushManifest(registry: Registry, name: string, reference: string, image: TestImage): Promise<void> {
  for (const child of image.children) await pushManifest(registry, name, child.digest, child);
  for (const [digest, data] of image.blobs) await pushBlob(registry, name, digest, data);
  const path = `/v2/${name}/manifests/${reference}`;
  await call(registry, 'PUT', path, image.manifest, { 'content-type': image.mediaType });
}

async function pushBlob(registry: Registry, name: string, digest: string, data: Buffer): Promise<void> {
  if ((await call(registry, 'HEAD', `/v2/${name}/blobs/${digest}`, undefined, {}, [200, 404])).status === 200) return;
  const started = await call(registry, 'POST', `/v2/${name}/blobs/uploads/`);
  const upload = new URL(started.headers.location as string, registry.url);
  upload.searchParams.set('digest', digest);
  const type = { 'content-type': 'application/octet-stream' };
  await call(registry, 'PUT', upload.pathname + upload.search, data, type);
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** One request; credentials are added when the registry asks for them. */
async function call(
  registry: Registry,
  method: string,
  path: string,
  body?: Buffer,
  headers: Record<string, string> = {},
  allowed = [200, 201, 202],
): Promise<Answer> {
  const url = new URL(path, registry.url);
  let answer = await send(registry, method, url, body, headers);
  const challenge = answer.headers['www-authenticate'];
  if (answer.status === 401 && challenge) {
    const authorization = await authorize(registry, challenge);
    answer = await send(registry, method, url, body, { ...headers, authorization });
  }
  if (allowed.includes(answer.status)) return answer;
  throw new Error(`${method} ${path}: ${answer.status} ${answer.body.toString('utf8')}`);
}

async function authorize(registry: Registry, challenge: string): Promise<string> {
  const basic = `Basic ${Buffer.from(`${registry.username}:${registry.password}`).toString('base64')}`;
  if (!challenge.startsWith('Bearer ')) return basic;
  const fields = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(match => [match[1], match[2]]));
  const url = new URL(fields.realm as string);
  url.searchParams.set('service', fields.service as string);
  if (fields.scope) url.searchParams.set('scope', fields.scope);
  const answer = await send(registry, 'GET', url, undefined, { authorization: basic });
  return `Bearer ${(JSON.parse(answer.body.toString('utf8')) as { token: string }).token}`;
}

function send(
  registry: Registry,
  method: string,
  url: URL,
  body: Buffer | undefined,
  headers: Record<string, string>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers, ...(body && { 'content-length': String(body.length) }) } };
    const receive = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    };
    const request: ClientRequest =
      url.protocol === 'https:'
        ? requestHttps(url, { ...options, ca: registry.ca && readFileSync(registry.ca) }, receive)
        : requestHttp(url, options, receive);
    request.on('error', reject);
    request.end(body);
  });
}

async function waitUntilUp(registry: Registry, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (server.exitCode !== null) throw new Error(`docker-registry did not start: ${registry.log()}`);
    try {
      await send(registry, 'GET', new URL('/v2/', registry.url), undefined, {});
      return;
    } catch {
      await sleep(25);
    }
  }
  server.kill();
  throw new Error(`docker-registry did not answer within 5 s: ${registry.log()}`);
}

/** JSON is YAML. */
function configuration(folder: string, host: string, options: RegistryOptions, tokens?: TokenServer): string {
  const auth = {
    none: undefined,
    basic: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } },
    token: tokens && {
      token: { realm: tokens.url, service: tokens.service, issuer: tokens.issuer, rootcertbundle: tokens.certificate },
    },
  }[options.authentication ?? 'none'];
  if (options.authentication === 'basic') {
    needPackages('apache2-utils');
    // The registry reads bcrypt only.
    writeFileSync(join(folder, 'htpasswd'), run('htpasswd', ['-Bbn', 'alice', 'wonder']));
  }
  return JSON.stringify({
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: options.folder ?? join(folder, 'data') },
      delete: { enabled: true },
    },
    http: {
      addr: host,
      secret: 'test',
      ...(options.tls && { tls: { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') } }),
    },
    ...(auth && { auth }),
    compatibility: { schema1: { enabled: true } },
  });
}

/** A CA and a certificate of it for loopback; returns the path of the CA. */
function makeCertificates(folder: string): string {
  needPackages('openssl');
  const path = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  run('openssl', ['req', '-x509', ...key, '-keyout', path('ca.key'), '-out', path('ca.crt'), '-subj', '/CN=test-ca']);
  const request = [
    'req',
    '-x509',
    ...key,
    '-keyout',
    path('tls.key'),
    '-out',
    path('tls.crt'),
    '-subj',
    '/CN=localhost',
  ];
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE'];
  run('openssl', [...request, ...names, '-CA', path('ca.crt'), '-CAkey', path('ca.key')]);
  return path('ca.crt');
}

async function makeTokenServer(folder: string): Promise<TokenServer> {
  needPackages('openssl');
  const [key, certificate] = [join(folder, 'token.key'), join(folder, 'token.crt')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=test-issuer'];
  run('openssl', [...request, '-keyout', key, '-out', certificate]);
  return startTokenServer({ key, certificate, username: 'alice', password: 'wonder' });
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
