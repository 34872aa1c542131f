import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';

const contexts = new Map<string, tls.SecureContext>();

/**
 * Whom to trust as `host` (with a port where there is one): Node's certificates and NODE_EXTRA_CA_CERTS, those of the
 * system, of SSL_CERT_FILE, and what Docker and podman keep for this host in `certs.d/HOST` (containers-certs.d(5)):
 * `*.crt` are CAs, `*.cert` with `*.key` is the client's own certificate.
 */
export function findTrust(host: string): tls.SecureContext {
  const known = contexts.get(host);
  if (known) return known;
  const own = folders().flatMap(folder => readHost(folder, host));
  const ca = new Set([...commonCertificates(), ...own.filter(each => each.name.endsWith('.crt')).map(toText)]);
  const certificate = own.find(each => each.name.endsWith('.cert'));
  const key = certificate && own.find(each => each.name === certificate.name.replace(/cert$/, 'key'));
  const pair = certificate && key ? { cert: toText(certificate), key: toText(key) } : {};
  const context = tls.createSecureContext({ ca: [...ca], ...pair });
  contexts.set(host, context);
  return context;
}

function commonCertificates(): string[] {
  // Editors may bring a Node that can't name those of the system.
  const certificates =
    typeof tls.getCACertificates === 'function'
      ? [...tls.getCACertificates('default'), ...tls.getCACertificates('system')]
      : [...tls.rootCertificates, readText(process.env.NODE_EXTRA_CA_CERTS)];
  // As OpenSSL does, a file that is not there is passed over.
  return [...certificates, readText(process.env.SSL_CERT_FILE)].filter(text => text !== '');
}

function folders(): string[] {
  const home = homedir();
  return [
    join(process.env.DOCKER_CONFIG || join(home, '.docker'), 'certs.d'),
    join(process.env.XDG_CONFIG_HOME || join(home, '.config'), 'containers', 'certs.d'),
    '/etc/docker/certs.d',
    '/etc/containers/certs.d',
  ];
}

function readHost(folder: string, host: string): { name: string; path: string }[] {
  // Names of files on Windows have no colon, and Docker leaves it out there.
  const place = join(folder, process.platform === 'win32' ? host.replace(':', '') : host);
  try {
    return readdirSync(place).map(name => ({ name, path: join(place, name) }));
  } catch {
    return [];
  }
}

function toText({ path }: { path: string }): string {
  return readText(path);
}

function readText(path: string | undefined): string {
  try {
    return path ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
}
