import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isListMatch } from './patterns.ts';

/** One entry of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  file: string;
  /** One-based. */
  line: number;
  marker: '@revoked' | '@cert-authority' | undefined;
  /** Names, patterns, or one hashed name, as they stand there. */
  hosts: string;
  keyType: string;
  /** The key's blob in base64. */
  key: string;
}

/** What the known_hosts files say about one key of one host. */
export type HostKeyVerdict =
  | { state: 'known'; entry: KnownHost }
  | { state: 'revoked'; entry: KnownHost }
  /** There is another key of this type. */
  | { state: 'changed'; entry: KnownHost }
  /** `others`: keys of other types and certificate authorities that are known for this host. */
  | { state: 'unknown'; others: KnownHost[] };

/** Reads the lines that make sense; others are passed over, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  const entries: KnownHost[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.trim().split(/[ \t]+/);
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined;
    const [hosts, keyType, key] = words;
    if (!hosts || hosts.startsWith('#') || !keyType || !key) continue;
    if (marker !== undefined && marker !== '@revoked' && marker !== '@cert-authority') continue;
    // The type that counts is the one inside the blob.
    if (readKeyType(Buffer.from(key, 'base64')) !== keyType) continue;
    entries.push({ file, line: index + 1, marker, hosts, keyType, key: Buffer.from(key, 'base64').toString('base64') });
  }
  return entries;
}

/** The name under which a host stands in known_hosts: lower case, with the port unless it is 22. */
export function toKnownName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** True if `entry` speaks of `name`, plainly, by pattern or hashed. */
export function isEntryFor(entry: KnownHost, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(entry.hosts);
  if (!hashed) return isListMatch(name, entry.hosts.toLowerCase().split(','));
  const expected = Buffer.from(hashed[2] as string, 'base64');
  const actual = hashName(name, Buffer.from(hashed[1] as string, 'base64'));
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/**
 * Judges a key that `name` presents. `bareName`, for a port other than 22: a key that is known for the host without its
 * port is good too, while a different one there says nothing.
 */
export function checkHostKey(
  entries: readonly KnownHost[],
  name: string,
  key: Buffer,
  bareName?: string,
): HostKeyVerdict {
  const text = key.toString('base64');
  const own = entries.filter(entry => isEntryFor(entry, name));
  const bare = bareName === undefined ? [] : entries.filter(entry => isEntryFor(entry, bareName));
  const revoked = [...own, ...bare].find(entry => entry.marker === '@revoked' && entry.key === text);
  if (revoked) return { state: 'revoked', entry: revoked };
  const known = [...own, ...bare].find(entry => entry.marker === undefined && entry.key === text);
  if (known) return { state: 'known', entry: known };
  const keyType = readKeyType(key);
  const changed = own.find(entry => entry.marker === undefined && entry.keyType === keyType);
  if (changed) return { state: 'changed', entry: changed };
  return { state: 'unknown', others: own.filter(entry => entry.marker !== '@revoked') };
}

/** Key types that are known for `name`: to be offered first, or a host with a known rsa key would look unknown. */
export function findKnownKeyTypes(entries: readonly KnownHost[], name: string, bareName?: string): string[] {
  const types = entries
    .filter(entry => entry.marker === undefined)
    .filter(entry => isEntryFor(entry, name) || (bareName !== undefined && isEntryFor(entry, bareName)))
    .map(entry => entry.keyType);
  return [...new Set(types)];
}

/** A line for known_hosts, with its line end. */
export function formatKnownHost(name: string, key: Buffer, hashed: boolean): string {
  const salt = randomBytes(20);
  const label = hashed ? `|1|${salt.toString('base64')}|${hashName(name, salt).toString('base64')}` : name;
  return `${label} ${readKeyType(key)} ${key.toString('base64')}\n`;
}

/** `SHA256:` and base64 without padding, as ssh-keygen(1) prints it. */
export function toFingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The type at the head of a public key blob (RFC 4253 §6.6); empty where there is none. */
export function readKeyType(key: Buffer): string {
  if (key.length < 4) return '';
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? '' : key.toString('latin1', 4, 4 + length);
}

function hashName(name: string, salt: Buffer): Buffer {
  return createHmac('sha1', salt).update(name).digest();
}
