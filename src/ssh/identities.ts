import ssh2, { type BaseAgent, type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';
import type { Log } from '#base/log.ts';
import type { Host } from './host.ts';
import { decryptKey, type KeyFile, readKeyFile } from './key-file.ts';
import { toFingerprint } from './known-hosts.ts';
import type { Question } from './prompts.ts';

/** One key that can be offered. It signs when the server has said that it would take it, and asks no sooner. */
export interface Identity {
  /** For a person: `~/.ssh/id_ed25519`, `SHA256:... from the agent`. */
  label: string;
  /** Undefined for an old encrypted file without a `.pub`: its passphrase is asked before it is offered. */
  publicKey: ParsedKey | undefined;
  /** The private half; undefined where an agent signs. Asks for the passphrase; undefined if none was right. */
  unlock?(): Promise<ParsedKey | undefined>;
  agent?: BaseAgent;
  /** It has answered a server that said that it would take it. */
  hasSigned?: boolean;
}

/** Asks a person; undefined: no answer. */
export type Ask = (question: Question) => Promise<string[] | undefined>;

/** As often as ssh(1) asks for one passphrase (NumberOfPasswordPrompts). */
const passphraseTries = 3;

/** Milliseconds for an agent to list its keys; one whose terminal is gone may hang. */
const agentTimeout = 5000;

/** The keys for `host` in the order in which OpenSSH tries them (sshconnect2.c, pubkey_prepare). */
export async function loadIdentities(host: Host, ask: Ask, log: Log): Promise<Identity[]> {
  const files: { path: string; file: KeyFile }[] = [];
  for (const path of host.identityFiles) {
    const file = readKeyFile(path);
    if (file.state === 'unusable') log.warn(`the identity file ${path} can't be used: ${file.reason}`);
    if (file.state === 'missing' && host.identityFilesAreGiven) log.warn(`there is no identity file ${path}`);
    files.push({ path, file });
  }
  const agent = host.agent === undefined ? undefined : ssh2.createAgent(host.agent);
  const keys = agent === undefined ? [] : await listKeys(agent, log);
  const agentKeys = keys.map(key => ({ key, blob: blobOf(key) }));
  const fileKeys = files.map(({ path, file }) => {
    const key = 'publicKey' in file ? file.publicKey : undefined;
    return { path, file, blob: key && blobOf(key) };
  });
  return orderKeys(agentKeys, fileKeys, host.identitiesOnly).flatMap(choice => {
    if ('key' in choice) return [agentIdentity(choice.key, agent as BaseAgent)];
    const identity = fileIdentity(choice.path, choice.file, ask);
    return identity ? [identity] : [];
  });
}

/**
 * Agent keys that an `IdentityFile` names, then the other agent keys unless `IdentitiesOnly`, then the files that no
 * agent key stands for. Any other order uses up the server's MaxAuthTries on keys that the user did not mean.
 */
export function orderKeys<A extends { blob: string }, F extends { blob: string | undefined }>(
  agentKeys: readonly A[],
  fileKeys: readonly F[],
  identitiesOnly: boolean,
): (A | F)[] {
  const isNamed = (key: A) => fileKeys.some(file => file.blob === key.blob);
  const named = agentKeys.filter(isNamed);
  const others = identitiesOnly ? [] : agentKeys.filter(key => !isNamed(key));
  const files = fileKeys.filter(file => file.blob === undefined || !named.some(key => key.blob === file.blob));
  return [...named, ...others, ...files];
}

/** Lets ssh2 offer exactly one key, and sign with it. */
export class IdentityAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #identity: Identity;
  readonly #key: ParsedKey;

  constructor(identity: Identity, key: ParsedKey) {
    super();
    this.#identity = identity;
    this.#key = key;
  }

  override getIdentities(callback: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
    callback(undefined, [this.#key]);
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    const answer = (typeof options === 'function' ? options : callback) as SignCallback;
    const done: SignCallback = (error, signature) => {
      this.#identity.hasSigned = !error;
      answer(error, signature);
    };
    const wanted = typeof options === 'function' ? {} : options;
    if (this.#identity.agent) {
      this.#identity.agent.sign(key, data, wanted, done);
      return;
    }
    const unlock = this.#identity.unlock?.() ?? Promise.resolve(undefined);
    unlock.then(
      privateKey => {
        if (!privateKey) return done(new Error(`no passphrase opened ${this.#identity.label}`));
        const signature = privateKey.sign(data, wanted.hash) as Buffer | Error;
        if (signature instanceof Error) done(signature);
        else done(undefined, signature);
      },
      (error: Error) => done(error),
    );
  }
}

function agentIdentity(key: ParsedKey, agent: BaseAgent): Identity {
  const comment = key.comment ? ` ${key.comment}` : '';
  return { label: `${toFingerprint(key.getPublicSSH())}${comment} from the agent`, publicKey: key, agent };
}

function fileIdentity(path: string, file: KeyFile, ask: Ask): Identity | undefined {
  if (file.state === 'private') {
    return { label: path, publicKey: file.publicKey, unlock: async () => file.privateKey };
  }
  if (file.state !== 'encrypted') return undefined;
  let opened: ParsedKey | undefined;
  return {
    label: path,
    publicKey: file.publicKey,
    async unlock() {
      for (let attempt = 1; !opened && attempt <= passphraseTries; attempt++) {
        const fields = [{ text: `Enter passphrase for key '${path}': `, echo: false }];
        const answers = await ask({ kind: 'passphrase', title: path, instruction: '', fields, attempt });
        // An empty passphrase means: leave this key out.
        if (!answers?.[0]) return undefined;
        opened = decryptKey(file.text, answers[0]);
      }
      return opened;
    },
  };
}

function listKeys(agent: BaseAgent, log: Log): Promise<ParsedKey[]> {
  return new Promise(resolve => {
    const timer = setTimeout(() => {
      log.warn('the ssh agent does not answer; its keys are left out');
      resolve([]);
    }, agentTimeout);
    agent.getIdentities((error, keys) => {
      clearTimeout(timer);
      if (error) log.debug(`the ssh agent gives no keys: ${error.message}`);
      resolve((keys ?? []) as ParsedKey[]);
    });
  });
}

function blobOf(key: ParsedKey): string {
  return key.getPublicSSH().toString('base64');
}
