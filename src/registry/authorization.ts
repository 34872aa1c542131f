import type { Credentials } from './credentials.ts';
import { fetchUrl, readBody } from './http.ts';

/** What a server wants: `Bearer realm="https://auth.docker.io/token",service="..."` (RFC 9110, §11.6.1). */
export interface Challenge {
  /** In lower case. */
  scheme: string;
  fields: Record<string, string>;
}

/** All challenges of a WWW-Authenticate header. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const pattern = /([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*)))?/g;
  for (const [, word = '', quoted, plain] of header.matchAll(pattern)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) challenges.push({ scheme: word.toLowerCase(), fields: {} });
    else {
      const last = challenges[challenges.length - 1];
      if (last) last.fields[word.toLowerCase()] = value;
    }
  }
  return challenges;
}

/**
 * The Authorization header that answers the challenges; undefined where we have nothing that fits. A bearer token is
 * fetched from the realm (Distribution's token authentication and OAuth2 specifications), with credentials if there
 * are any, anonymously otherwise.
 */
export async function authorize(
  challenges: readonly Challenge[],
  credentials: Credentials | undefined,
  context: { registry: URL; scope: string; signal?: AbortSignal },
): Promise<string | undefined> {
  const bearer = challenges.find(each => each.scheme === 'bearer');
  if (bearer?.fields.realm) return fetchToken(bearer.fields, credentials, context);
  const isBasic = challenges.some(each => each.scheme === 'basic');
  return isBasic && credentials?.password ? basicOf(credentials) : undefined;
}

async function fetchToken(
  { realm = '', service, scope }: Record<string, string>,
  credentials: Credentials | undefined,
  context: { registry: URL; scope: string; signal?: AbortSignal },
): Promise<string | undefined> {
  const url = new URL(realm, context.registry);
  if (context.registry.protocol === 'https:' && url.protocol !== 'https:') {
    throw new Error(`${context.registry.host} sends for a token to ${url.origin}, which is not encrypted`);
  }
  const fields = new URLSearchParams({ ...(service && { service }), scope: scope ?? context.scope });
  const token = credentials?.identityToken;
  if (token) {
    fields.set('grant_type', 'refresh_token');
    fields.set('refresh_token', token);
    fields.set('client_id', 'cwl-on-clusters');
  } else for (const [name, value] of fields) url.searchParams.append(name, value);
  const response = await fetchUrl(url, {
    signal: context.signal,
    ...(token && { method: 'POST', body: fields.toString() }),
    headers: {
      ...(token && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(!token && credentials?.password && { authorization: basicOf(credentials) }),
    },
  });
  const body = await readBody(response, 1 << 20);
  if (response.status === 401 || response.status === 403) return undefined;
  if (response.status !== 200) throw new Error(`${url.host} answers ${response.status} when asked for a token`);
  const answer = JSON.parse(body.toString('utf8')) as { token?: string; access_token?: string };
  const found = answer.token || answer.access_token;
  return found ? `Bearer ${found}` : undefined;
}

function basicOf({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
