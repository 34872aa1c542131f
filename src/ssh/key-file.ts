import { existsSync, readFileSync } from 'node:fs';
import ssh2, { type ParsedKey } from 'ssh2';

/** What an `IdentityFile` holds. */
export type KeyFile =
  | { state: 'missing' }
  /** Not a key, or of a kind that needs hardware; `reason` for a person. */
  | { state: 'unusable'; reason: string }
  /** Only an agent can use it. */
  | { state: 'public'; publicKey: ParsedKey }
  | { state: 'private'; publicKey: ParsedKey; privateKey: ParsedKey }
  /** `publicKey` where it can be known without the passphrase. */
  | { state: 'encrypted'; publicKey: ParsedKey | undefined; text: Buffer };

/** Looks at an identity file and at the `.pub` beside it. */
export function readKeyFile(path: string): KeyFile {
  const beside = readPublicKey(`${path}.pub`);
  let text: Buffer;
  try {
    text = readFileSync(path);
  } catch (error) {
    if (beside) return { state: 'public', publicKey: beside };
    return existsSync(path) ? { state: 'unusable', reason: (error as Error).message } : { state: 'missing' };
  }
  const key = parse(text);
  if (key instanceof Error) {
    if (/no passphrase/i.test(key.message)) {
      return { state: 'encrypted', publicKey: beside ?? readEmbeddedKey(text), text };
    }
    return { state: 'unusable', reason: key.message };
  }
  return key.isPrivateKey()
    ? { state: 'private', publicKey: key, privateKey: key }
    : { state: 'public', publicKey: key };
}

/** The private key of an encrypted file; undefined if the passphrase is wrong. */
export function decryptKey(text: Buffer, passphrase: string): ParsedKey | undefined {
  const key = parse(text, passphrase);
  return key instanceof Error || !key.isPrivateKey() ? undefined : key;
}

function readPublicKey(path: string): ParsedKey | undefined {
  try {
    const key = parse(readFileSync(path));
    return key instanceof Error ? undefined : key;
  } catch {
    return undefined;
  }
}

function parse(text: Buffer, passphrase?: string): ParsedKey | Error {
  try {
    const key = ssh2.utils.parseKey(text, passphrase) as ParsedKey | ParsedKey[] | Error;
    return Array.isArray(key) ? (key[0] ?? new Error('the file holds no key')) : key;
  } catch (error) {
    // Some damaged files make ssh2 throw where it should return.
    return error as Error;
  }
}

/** OpenSSH's own format keeps the public key in the clear (PROTOCOL.key of OpenSSH). */
function readEmbeddedKey(text: Buffer): ParsedKey | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(text.toString('latin1'))?.[1];
  if (body === undefined) return undefined;
  const data = Buffer.from(body, 'base64');
  let at = 'openssh-key-v1\0'.length;
  const readString = () => {
    const length = data.readUInt32BE(at);
    at += 4 + length;
    return data.subarray(at - length, at);
  };
  try {
    // Cipher, key derivation and its options; then the number of keys.
    for (let i = 0; i < 3; i++) readString();
    at += 4;
    const key = parse(readString());
    return key instanceof Error ? undefined : key;
  } catch {
    return undefined;
  }
}
