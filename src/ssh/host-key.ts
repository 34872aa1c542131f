import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Log } from '#base/log.ts';
import type { Host } from './host.ts';
import {
  checkHostKey,
  findKnownKeyTypes,
  formatKnownHost,
  type HostKeyVerdict,
  type KnownHost,
  parseKnownHosts,
  readKeyType,
  toFingerprint,
  toKnownName,
} from './known-hosts.ts';
import type { Prompts } from './prompts.ts';

/** Signature algorithms that ssh2 can check, the best first; SHA-1 for the servers of RHEL 6 comes last. */
const algorithmsOfType: Record<string, string[]> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
};

/** What is known about one host before it shows its key. */
export class HostKeyCheck {
  readonly #host: Host;
  readonly #entries: KnownHost[];
  readonly #name: string;
  readonly #bareName: string | undefined;

  constructor(host: Host) {
    this.#host = host;
    this.#entries = host.knownHostsFiles.flatMap(readKnownHosts);
    this.#name = host.hostKeyAlias?.toLowerCase() ?? toKnownName(host.hostName, host.port);
    const hasBareName = host.hostKeyAlias === undefined && host.port !== 22;
    this.#bareName = hasBareName ? toKnownName(host.hostName, 22) : undefined;
  }

  /** Host key algorithms in the order of preference: those of known keys first. */
  get algorithms(): string[] {
    const known = findKnownKeyTypes(this.#entries, this.#name, this.#bareName);
    const configured = this.#host.hostKeyAlgorithms;
    const all = Object.values(algorithmsOfType).flat();
    const allowed = configured === undefined ? all : selectAlgorithms(configured, all);
    const preferred = known.flatMap(type => algorithmsOfType[type] ?? []).filter(name => allowed.includes(name));
    return [...new Set([...preferred, ...allowed])];
  }

  /**
   * Throws a Failure unless `key` is trusted. True: no password may be sent, because the key has changed and the user's
   * `StrictHostKeyChecking no` lets it pass all the same, as ssh(1) does.
   */
  async check(key: Buffer, prompts: Prompts, log: Log): Promise<boolean> {
    const verdict = checkHostKey(this.#entries, this.#name, key, this.#bareName);
    switch (verdict.state) {
      case 'known':
        return false;
      case 'revoked':
        throw new Failure('ssh/host-key-revoked', `${describe(this.#name, key)}, which ${at(verdict.entry)} revokes`, {
          hint: 'Somebody may be listening in. Ask the administrators of the cluster which key is right.',
        });
      case 'changed':
        if (this.#host.strictHostKeyChecking !== 'no') throw this.#changed(key, verdict.entry);
        log.warn(`${describe(this.#name, key)}, not the one of ${at(verdict.entry)}: passwords are not sent`);
        return true;
      case 'unknown':
        await this.#decideUnknown(key, verdict, prompts, log);
        return false;
    }
  }

  #changed(key: Buffer, entry: KnownHost): Failure {
    const expected = toFingerprint(Buffer.from(entry.key, 'base64'));
    return new Failure(
      'ssh/host-key-changed',
      `${describe(this.#name, key)}, but ${expected} was expected (${at(entry)})`,
      {
        hint:
          'Somebody may be listening in, or the host was set up anew. Ask its administrators for the fingerprint; ' +
          `if the new one is right, remove line ${entry.line} of ${entry.file} and connect again.`,
      },
    );
  }

  async #decideUnknown(
    key: Buffer,
    { others }: Extract<HostKeyVerdict, { state: 'unknown' }>,
    prompts: Prompts,
    log: Log,
  ): Promise<void> {
    const { strictHostKeyChecking: strictness, batchMode, newKnownHostsFile } = this.#host;
    const hint = `Connect once with ssh in a terminal, or add the key to ${newKnownHostsFile ?? 'known_hosts'}.`;
    if (strictness === 'yes' || (strictness === 'ask' && batchMode)) {
      throw new Failure('ssh/host-key-unknown', `${describe(this.#name, key)}, which no known_hosts file lists`, {
        hint,
      });
    }
    // A known host with a key of a new type is not a new host, so accept-new does not cover it.
    const mayAccept = strictness === 'no' || (strictness === 'accept-new' && others.length === 0);
    const question = {
      host: this.#name,
      keyType: readKeyType(key),
      fingerprint: toFingerprint(key),
      file: newKnownHostsFile,
      notes: others.map(noteOf),
    };
    if (!mayAccept && !(await prompts.confirmHostKey(question))) {
      throw new Failure('ssh/host-key-rejected', `${describe(this.#name, key)}, which was not accepted`, { hint });
    }
    if (newKnownHostsFile === undefined) return;
    try {
      appendKnownHost(newKnownHostsFile, formatKnownHost(this.#name, key, this.#host.hashKnownHosts));
      log.info(`${describe(this.#name, key)}, which was added to ${newKnownHostsFile}`);
    } catch (error) {
      log.warn(`the host key could not be added to ${newKnownHostsFile}: ${(error as Error).message}`);
    }
  }
}

/** `HostKeyAlgorithms` of ssh_config(5): a list, or one that begins with `+`, `-` or `^`. */
function selectAlgorithms(list: string, all: string[]): string[] {
  const names = list.replace(/^[+^-]/, '').split(',');
  const listed = names.filter(name => all.includes(name));
  if (list.startsWith('-')) return all.filter(name => !names.includes(name));
  if (list.startsWith('+') || list.startsWith('^')) return [...new Set([...listed, ...all])];
  return listed.length > 0 ? listed : all;
}

function readKnownHosts(file: string): KnownHost[] {
  try {
    return parseKnownHosts(readFileSync(file, 'utf8'), file);
  } catch {
    return [];
  }
}

/** One write at the end of the file (O_APPEND): lines of two programs that do this at once do not mix. */
function appendKnownHost(file: string, line: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  appendFileSync(file, '', { mode: 0o600 });
  const descriptor = openSync(file, 'a+');
  try {
    const { size } = fstatSync(descriptor);
    const last = Buffer.alloc(1);
    const isOpenEnded = size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
    writeSync(descriptor, isOpenEnded ? `\n${line}` : line);
  } finally {
    closeSync(descriptor);
  }
}

function describe(name: string, key: Buffer): string {
  return `${name} shows the ${readKeyType(key)} key ${toFingerprint(key)}`;
}

function at(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`;
}

function noteOf(entry: KnownHost): string {
  if (entry.marker === '@cert-authority') {
    return `A certificate authority vouches for this host (${at(entry)}); its certificates are not checked here.`;
  }
  return `A key of another type is known: ${entry.keyType} ${toFingerprint(Buffer.from(entry.key, 'base64'))} (${at(entry)}).`;
}
