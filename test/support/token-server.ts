// A token server for registries (Docker Registry v2 token authentication): anyone may pull `public/...`, the one user
// may do everything.
import { createSign, randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';

export interface TokenServer {
  url: string;
  service: string;
  issuer: string;
  /** Path of the certificate that the registry trusts. */
  certificate: string;
  /** Grants so far: `alice repository:private/tool:pull`. */
  grants: string[];
  stop(): Promise<void>;
}

/** Stands for the user's name and password. */
export const identityToken = 'identity-token-of-alice';

interface Access {
  type: string;
  name: string;
  actions: string[];
}

export async function startTokenServer(options: {
  key: string;
  certificate: string;
  username: string;
  password: string;
}): Promise<TokenServer> {
  const key = readFileSync(options.key);
  const chain = [new X509Certificate(readFileSync(options.certificate)).raw.toString('base64')];
  const [service, issuer] = ['test-service', 'test-issuer'];
  const grants: string[] = [];
  const basic = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const form = new URLSearchParams(body);
    const isForm = request.method === 'POST';
    const scopes = isForm
      ? form.getAll('scope')
      : new URL(request.url ?? '/', 'http://localhost').searchParams.getAll('scope');
    const user = isForm ? findOwner(form) : findUser(request);
    if (user === undefined) {
      response.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
      return;
    }
    grants.push(`${user || 'anonymous'} ${scopes.join(' ')}`);
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: service, sub: user, iat: now, nbf: now - 5, exp: now + 300 };
    const token = sign({ ...claims, jti: randomBytes(8).toString('hex'), access: scopes.map(s => grant(s, user)) });
    response.writeHead(200, { 'content-type': 'application/json' });
    const answer = isForm ? { access_token: token } : { token };
    response.end(JSON.stringify({ ...answer, expires_in: 300, issued_at: new Date(now * 1000).toISOString() }));
  });

  function findUser(request: IncomingMessage): string | undefined {
    const header = request.headers.authorization;
    if (header === undefined) return '';
    return header === basic ? options.username : undefined;
  }

  /** OAuth2, as registries that gave an identity token at the login want it. */
  function findOwner(form: URLSearchParams): string | undefined {
    const isRight = form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === identityToken;
    return isRight && form.get('client_id') && form.get('service') === service ? options.username : undefined;
  }

  function grant(scope: string, user: string): Access {
    const [type = '', ...rest] = scope.split(':');
    const actions = (rest.pop() ?? '').split(',');
    const name = rest.join(':');
    return { type, name, actions: actions.filter(each => user || (each === 'pull' && name.startsWith('public/'))) };
  }

  function sign(claims: object): string {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${encode({ typ: 'JWT', alg: 'RS256', x5c: chain })}.${encode(claims)}`;
    return `${text}.${createSign('RSA-SHA256').update(text).sign(key, 'base64url')}`;
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${address.port}/token`,
    service,
    issuer,
    certificate: options.certificate,
    grants,
    stop: () => new Promise(resolve => server.close(() => resolve())),
  };
}
