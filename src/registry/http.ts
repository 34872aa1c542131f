import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { Failure } from '#base/failure.ts';
import { version } from '#base/version.ts';
import { findProxy } from './proxy.ts';
import { findTrust } from './trust.ts';

export interface HttpRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

/** The body must be read to its end or destroyed. */
export interface HttpResponse {
  status: number;
  headers: IncomingMessage['headers'];
  /** After redirections. */
  url: URL;
  body: IncomingMessage;
}

// A server that says nothing for so long (ms) is taken for gone.
const silence = 60_000;

// Firewalls without an answer are usual on compute nodes; the system itself would wait for minutes.
const connectTimeout = 15_000;

/**
 * One request over HTTP or HTTPS, through the proxy that the environment names, with redirections followed.
 * `Authorization` goes to the host it was meant for and nowhere else. Throws Node's errors of the network.
 */
export async function fetchUrl(url: URL, request: HttpRequest = {}): Promise<HttpResponse> {
  let { headers = {} } = request;
  let at = url;
  for (let hops = 0; ; hops++) {
    const response = await send(at, { ...request, headers });
    const { location } = response.headers;
    const status = response.statusCode ?? 0;
    if (![301, 302, 303, 307, 308].includes(status) || !location) {
      return { status, headers: response.headers, url: at, body: response };
    }
    response.destroy();
    if (hops === 8) throw new Error(`${url.host} redirects without end`);
    const next = new URL(location, at);
    if (next.protocol !== 'http:' && next.protocol !== 'https:')
      throw new Error(`${url.host} redirects to ${next.protocol}`);
    if (at.protocol === 'https:' && next.protocol === 'http:') throw new Error(`${url.host} redirects to plain HTTP`);
    if (next.host !== at.host) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
    }
    at = next;
  }
}

/** The whole body; throws where it is larger than `limit` bytes. */
export async function readBody(response: HttpResponse, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      response.body.destroy();
      throw new Failure(
        'image/registry',
        `${response.url.host} sent more than ${limit} bytes where few were asked for`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function send(url: URL, request: HttpRequest): Promise<IncomingMessage> {
  const proxy = findProxy(url);
  const headers: OutgoingHttpHeaders = { 'user-agent': `cwl-on-clusters/${version}`, ...request.headers };
  if (url.protocol === 'https:') {
    const socket = proxy && (await openTunnel(url, proxy, request));
    return exchange(url, request, headers, { socket });
  }
  if (proxy) {
    const credentials = proxyAuthorization(proxy);
    if (credentials) headers['proxy-authorization'] = credentials;
  }
  return exchange(url, request, headers, { proxy });
}

function exchange(
  url: URL,
  { method = 'GET', body, signal }: HttpRequest,
  headers: OutgoingHttpHeaders,
  route: { socket?: TLSSocket; proxy?: URL },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { socket, proxy } = route;
    const options = { method, headers, signal, timeout: silence };
    const call =
      url.protocol === 'https:'
        ? requestHttps(url, {
            ...options,
            // With an agent, the socket would not be used.
            ...(socket ? { createConnection: () => socket } : trustOption(url)),
          })
        : proxy
          ? requester(proxy)(proxy, { ...options, path: url.href, headers: { ...headers, host: url.host } })
          : requestHttp(url, options);
    call.on('response', response => {
      response.on('error', () => {});
      resolve(response);
    });
    limitConnecting(call, (proxy ?? url).host);
    call.on('timeout', () => call.destroy(new Error(`${url.host} said nothing for ${silence / 1000} s`)));
    call.on('error', reject);
    call.end(body);
  });
}

/** CONNECT (RFC 9110, §9.3.6), and TLS through it. */
function openTunnel(url: URL, proxy: URL, { signal }: HttpRequest): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const target = `${url.hostname}:${url.port || 443}`;
    const credentials = proxyAuthorization(proxy);
    const headers = { host: target, ...(credentials && { 'proxy-authorization': credentials }) };
    const call = requester(proxy)(proxy, {
      method: 'CONNECT',
      path: target,
      headers,
      signal,
      timeout: silence,
      agent: false,
    });
    call.on('connect', (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        reject(new Error(`the proxy ${proxy.host} answers ${response.statusCode} for ${url.host}`));
        return;
      }
      const servername = /^[\d.]+$|:/.test(url.hostname) ? undefined : url.hostname;
      const secure = connect({ socket, servername, host: url.hostname, secureContext: findTrust(url.host) }, () =>
        resolve(secure),
      );
      secure.on('error', reject);
    });
    limitConnecting(call, proxy.host);
    call.on('timeout', () => call.destroy(new Error(`the proxy ${proxy.host} said nothing for ${silence / 1000} s`)));
    call.on('error', reject);
    call.end();
  });
}

function requester(url: URL): typeof requestHttp {
  return url.protocol === 'https:' ? (requestHttps as typeof requestHttp) : requestHttp;
}

function proxyAuthorization({ username, password }: URL): string | undefined {
  if (!username) return undefined;
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/** Ends a call whose socket has not been connected in time. */
function limitConnecting(call: ClientRequest, host: string): void {
  const giveUp = () => {
    const error = new Error(`${host} did not answer within ${connectTimeout / 1000} s`);
    call.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
  };
  const timer = setTimeout(giveUp, connectTimeout);
  const stop = () => clearTimeout(timer);
  call.on('close', stop);
  call.on('socket', socket => {
    const isEncrypted = 'encrypted' in socket;
    if (!socket.connecting && !(isEncrypted && (socket as TLSSocket).getProtocol() === null)) stop();
    else socket.once(isEncrypted ? 'secureConnect' : 'connect', stop);
  });
}

/** Node's types leave it out, its TLS takes it (tls.connect). */
function trustOption(url: URL): object {
  return { secureContext: findTrust(url.host) };
}
