import { createHash } from 'node:crypto';

/** The 64 hex digits of a `sha256:` digest; undefined for anything else (OCI image-spec v1.1, descriptor.md). */
export function parseDigest(text: unknown): string | undefined {
  return typeof text === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(text)?.[1] : undefined;
}

/** `sha256:` and hex. */
export function digestOf(data: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}
