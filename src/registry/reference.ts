import { Failure } from '#base/failure.ts';
import { parseDigest } from './digest.ts';

/** Where an image is to be had, complete: what Docker leaves out is filled in. */
export interface Reference {
  /** Host, with a port where one was given: `docker.io`, `127.0.0.1:5000`. */
  registry: string;
  /** `library/alpine`. */
  repository: string;
  /** Absent where only a digest was given. */
  tag?: string;
  /** Wins over the tag. */
  digest?: string;
}

const hostPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const repositoryPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Reads `alpine`, `quay.io/biocontainers/samtools:1.19`, `host:5000/name@sha256:...` as Docker does
 * (distribution/reference, normalize.go). Throws a Failure `image/invalid-reference`.
 */
export function parseReference(text: string): Reference {
  let rest = text.trim().replace(/^docker:\/\//, '');
  let digest: string | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    digest = rest.slice(at + 1);
    if (!parseDigest(digest)) throw invalid(text, `${digest} is no sha256 digest`);
    rest = rest.slice(0, at);
  }
  const { registry, path } = splitRegistry(rest);
  const colon = path.lastIndexOf(':');
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  let repository = colon < 0 ? path : path.slice(0, colon);
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `${tag} is no tag`);
  if (!hostPattern.test(registry)) throw invalid(text, `${registry} is no host name`);
  if (repository.length > 255 || !repositoryPattern.test(repository)) {
    const reason = repository.toLowerCase() === repository ? 'is no name of an image' : 'has capital letters';
    throw invalid(text, `${repository || 'the empty text'} ${reason}`);
  }
  if (registry === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`;
  return { registry, repository, tag: tag ?? (digest ? undefined : 'latest'), digest };
}

/** The one spelling of a reference: `docker.io/library/alpine:latest`. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`;
}

/** The one spelling of what may be a reference; the text itself where it is none, such as the path of an archive. */
export function spellReference(text: string): string {
  try {
    return formatReference(parseReference(text));
  } catch {
    return text;
  }
}

/** The first component is a host if it could not be a user's name: it has a dot, a port, capitals, or is localhost. */
function splitRegistry(text: string): { registry: string; path: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  if (!/[.:A-Z]/.test(first) && first !== 'localhost') return { registry: 'docker.io', path: text };
  const registry = first === 'index.docker.io' || first === 'registry-1.docker.io' ? 'docker.io' : first;
  return { registry, path: text.slice(slash + 1) };
}

function invalid(text: string, reason: string): Failure {
  return new Failure('image/invalid-reference', `${JSON.stringify(text)} does not name an image: ${reason}`, {
    hint: 'Write it as NAME:TAG, HOST/NAME:TAG or HOST/NAME@sha256:DIGEST, all in lower case.',
  });
}
