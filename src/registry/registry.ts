import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#base/failure.ts';
import { type Log, silentLog } from '#base/log.ts';
import { authorize, parseChallenges } from './authorization.ts';
import { type FindCredentials, findDockerCredentials } from './credentials.ts';
import { digestOf } from './digest.ts';
import { fetchUrl, type HttpResponse, readBody } from './http.ts';
import { type Descriptor, manifestLimit, manifestTypes } from './manifest.ts';
import { formatReference, type Reference } from './reference.ts';

export interface RegistryOptions {
  /** Registry host to the URL that stands in for it: `{ "docker.io": "http://127.0.0.1:5000" }`. */
  mirrors?: Record<string, string>;
  findCredentials?: FindCredentials;
  signal?: AbortSignal;
  log?: Log;
  /** First wait before a second try, in ms; it doubles. */
  retryDelay?: number;
  /** How often something is tried that may help; default 5. */
  tries?: number;
}

const retriable = new Set([408, 429, 500, 502, 503, 504]);

/** One repository of a registry (OCI distribution-spec v1.1), for reading. */
export class Registry {
  readonly #reference: Reference;
  readonly #options: RegistryOptions;
  readonly #log: Log;
  /** Candidates until one has answered. */
  #bases: URL[];
  readonly #path: string;
  #authorization: string | undefined;
  /** What stood in the way of credentials. */
  #note = '';

  constructor(reference: Reference, options: RegistryOptions = {}) {
    this.#reference = reference;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    const mirror = options.mirrors?.[reference.registry];
    const { bases, prefix } = mirror ? parseMirror(reference.registry, mirror) : findBases(reference.registry);
    this.#bases = bases;
    this.#path = `/v2/${prefix}${reference.repository}`;
  }

  /** Whom it asks. */
  get host(): string {
    return (this.#bases[0] as URL).host;
  }

  /** By tag or digest; a digest is checked. */
  async fetchManifest(wanted: string): Promise<{ bytes: Buffer; digest: string; mediaType: string }> {
    const name = this.#name(wanted);
    return this.retry(`the manifest of ${name}`, async () => {
      const response = await this.#get(`${this.#path}/manifests/${wanted}`, { accept: manifestTypes.join(', ') });
      await this.#checkStatus(response, name);
      const bytes = await readBody(response, manifestLimit);
      const digest = digestOf(bytes);
      const promised = wanted.startsWith('sha256:') ? wanted : response.headers['docker-content-digest'];
      const mediaType = String(response.headers['content-type'] ?? '').split(';')[0] as string;
      // Signed manifests of schema 1 have a digest without their signature; they are refused anyway.
      if (
        typeof promised === 'string' &&
        promised.startsWith('sha256:') &&
        promised !== digest &&
        !mediaType.includes('docker.distribution.manifest.v1+')
      ) {
        throw mismatch(`the manifest of ${name}`, promised, digest, response.url.host);
      }
      return { bytes, digest, mediaType };
    });
  }

  /** A response with the bytes of a blob from `start` on: 206, or 200 where the registry sends it from the beginning. */
  async openBlob({ digest }: Descriptor, start: number, signal?: AbortSignal): Promise<HttpResponse> {
    const range: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {};
    const response = await this.#get(`${this.#path}/blobs/${digest}`, range, signal);
    if (response.status !== 206) await this.#checkStatus(response, `${this.#name(digest)}`);
    return response;
  }

  /** Tries again where that can help: broken connections, servers in trouble, too many requests. */
  async retry<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { signal, retryDelay = 500, tries = 5 } = this.#options;
    for (let count = 1; ; count++) {
      try {
        return await attempt();
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof Failure && !(error instanceof RetriableFailure)) throw error;
        if (count === tries || isFinal(error)) {
          if (error instanceof Failure) throw error;
          throw this.#unreachable(what, error);
        }
        const asked = error instanceof RetriableFailure ? error.delay : undefined;
        const delay = Math.min(asked ?? retryDelay * 2 ** (count - 1), 60_000);
        this.#log.info(`${what}: ${(error as Error).message}; trying again in ${Math.round(delay / 100) / 10} s`);
        await sleep(delay, undefined, { signal });
      }
    }
  }

  async #get(path: string, headers: Record<string, string>, signal = this.#options.signal): Promise<HttpResponse> {
    const url = new URL(path, await this.#findBase());
    const send = () =>
      fetchUrl(url, {
        signal,
        headers: { ...headers, ...(this.#authorization && { authorization: this.#authorization }) },
      });
    const first = await send();
    const challenge = first.headers['www-authenticate'];
    if (first.status !== 401 || !challenge) return first;
    first.body.destroy();
    const find = this.#options.findCredentials ?? findDockerCredentials;
    const note = (text: string) => (this.#note = `; ${text}`);
    // Who logged in to docker.io did not log in to its mirror.
    const isMirrored = this.#options.mirrors?.[this.#reference.registry] !== undefined;
    this.#authorization = await authorize(
      parseChallenges(challenge),
      isMirrored
        ? await find(url.host, '', note)
        : await find(this.#reference.registry, this.#reference.repository, note),
      { registry: url, scope: `repository:${this.#path.slice('/v2/'.length)}:pull`, signal },
    );
    return send();
  }

  /** Loopback registries speak plain HTTP unless they answer to HTTPS, as for Docker. */
  async #findBase(): Promise<URL> {
    const { signal } = this.#options;
    const [first, second] = this.#bases;
    if (!second) return first as URL;
    try {
      const response = await fetchUrl(new URL('/v2/', first), { signal });
      response.body.destroy();
      this.#bases = [first as URL];
    } catch (error) {
      signal?.throwIfAborted();
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED' || isAboutCertificate(code)) throw error;
      this.#bases = [second];
    }
    return this.#bases[0] as URL;
  }

  async #checkStatus(response: HttpResponse, name: string): Promise<void> {
    if (response.status === 200) return;
    const { status, headers, url } = response;
    const detail = await readErrors(response);
    const said = detail ? ` (${detail})` : '';
    if (status === 404) {
      throw new Failure('image/no-such-image', `${url.host} has no image ${name}${said}`, {
        hint: 'Check the name and the tag; some images were removed or renamed.',
      });
    }
    if (status === 401 || status === 403) {
      throw new Failure('image/access-denied', `${url.host} does not give out ${name}${said}`, {
        hint: `The name may be wrong, or the image is private: then run \`docker login ${url.host}\` where the pull runs${this.#note}.`,
      });
    }
    if (!retriable.has(status)) {
      throw new Failure('image/registry', `${url.host} answers ${status} when asked for ${name}${said}`);
    }
    if (status === 429) {
      throw new RetriableFailure('image/rate-limited', `${url.host} refuses ${name}: too many requests${said}`, {
        hint: 'Wait some minutes, log in (`docker login`), or use a mirror with --mirror HOST=URL.',
        delay: parseRetryAfter(headers['retry-after']),
      });
    }
    throw new RetriableFailure('image/registry', `${url.host} answers ${status} when asked for ${name}${said}`, {
      hint: 'The registry is in trouble: try again later, or use a mirror with --mirror HOST=URL.',
      delay: parseRetryAfter(headers['retry-after']),
    });
  }

  #unreachable(what: string, cause: unknown): Failure {
    return new Failure('image/registry-unreachable', `${what} could not be had from ${this.host}`, {
      hint: 'Is there internet on this machine? If not, use a mirror (--mirror HOST=URL), or `image load` an archive.',
      cause: cause instanceof AggregateError ? (cause.errors[0] ?? cause) : cause,
    });
  }

  #name(wanted: string): string {
    const { registry, repository } = this.#reference;
    const part = wanted.startsWith('sha256:') ? { digest: wanted } : { tag: wanted };
    return formatReference({ registry, repository, ...part });
  }
}

export function mismatch(what: string, wanted: string, found: string, host: string): Failure {
  return new Failure('image/digest-mismatch', `${what} from ${host} has the digest ${found}, not ${wanted}`, {
    hint: 'It was damaged on the way or changed at the registry; nothing of it was kept. Try again, or ask whoever runs the registry.',
  });
}

/** A failure that may go away by itself. */
class RetriableFailure extends Failure {
  /** ms that the server asked for. */
  readonly delay: number | undefined;

  constructor(code: string, message: string, { delay, ...options }: { hint?: string; delay?: number }) {
    super(code, message, options);
    this.delay = delay;
  }
}

function parseMirror(host: string, text: string): { bases: URL[]; prefix: string } {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new Failure('image/invalid-mirror', `the mirror of ${host}, ${JSON.stringify(text)}, is no URL`, {
      hint: 'Write it as https://HOST, http://HOST:PORT, or with a path that goes before the names of images.',
    });
  }
  const path = url.pathname.replace(/^\/(v2\/?)?|\/$/g, '');
  return { bases: [new URL(url.origin)], prefix: path ? `${path}/` : '' };
}

function findBases(registry: string): { bases: URL[]; prefix: string } {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const isLoopback = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(host);
  const schemes = isLoopback ? ['https', 'http'] : ['https'];
  return { bases: schemes.map(scheme => new URL(`${scheme}://${host}`)), prefix: '' };
}

/** What a registry says about an error (distribution-spec v1.1, error codes), one line without control characters. */
async function readErrors(response: HttpResponse): Promise<string> {
  try {
    const { errors } = JSON.parse((await readBody(response, 65536)).toString('utf8')) as {
      errors?: { code?: string; message?: string }[];
    };
    const text = errors?.map(each => each.message || each.code).join('; ') ?? '';
    return text.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 300);
  } catch {
    return '';
  }
}

/** Seconds or a date (RFC 9110, §10.2.3), in ms from now. */
function parseRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const delay = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(delay) ? Math.max(0, delay) : undefined;
}

/** Errors that will be the same the next time. */
function isFinal(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  const isUnreachable = ['ENOTFOUND', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code);
  return isUnreachable || isAboutCertificate(code);
}

function isAboutCertificate(code = ''): boolean {
  return code.startsWith('ERR_TLS_') || /CERT|SELF_SIGNED|UNABLE_TO_/.test(code);
}
