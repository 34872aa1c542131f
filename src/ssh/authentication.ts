import type { AnyAuthMethod, AuthenticationType } from 'ssh2';
import { Failure } from '#base/failure.ts';
import type { Log } from '#base/log.ts';
import type { Host } from './host.ts';
import { type Ask, type Identity, IdentityAgent, loadIdentities } from './identities.ts';

/**
 * Keys that are offered at most where another way in remains: sshd hangs up at the sixth failure (MaxAuthTries of
 * sshd_config(5)), so the last try is kept for the person.
 */
const maxKeyFailures = 5;

const secondFactors: AuthenticationType[] = ['keyboard-interactive', 'password', 'publickey'];

type Way = 'publickey' | 'keyboard-interactive' | 'password';

/** Decides what to try next, as ssh(1) does; one object for one login. */
export class Authentication {
  readonly #host: Host;
  readonly #ask: Ask;
  readonly #log: Log;
  #identities: Identity[] | undefined;
  readonly #succeeded = new Set<Identity>();
  #current: { way: Way; identity?: Identity } | undefined;
  #keyFailures = 0;
  #attempts = { password: 0, 'keyboard-interactive': 0 };
  #tried: string[] = [];
  #offered: string[] = [];
  /** Set where a changed host key was let through: whoever listens gets no password. */
  passwordsForbidden = false;

  constructor(host: Host, ask: Ask, log: Log) {
    this.#host = host;
    this.#ask = ask;
    this.#log = log;
  }

  /**
   * What to send after the server's answer to the last attempt; null: this is the first one. Throws a Failure when
   * nothing is left, or when the person gave up.
   */
  async next(methodsLeft: AuthenticationType[] | null, partialSuccess: boolean | null): Promise<AnyAuthMethod> {
    const username = this.#host.user;
    // Asks the server what it would take; some let one in with it.
    if (methodsLeft === null) return { type: 'none', username };
    // ssh2 keeps the answer to an agent's key for itself. One that was taken as far as a signature, and did not let us
    // in, was one factor of several; the next one is most likely a question.
    const wasSigned = this.#current?.identity?.hasSigned === true;
    const methods = wasSigned ? secondFactors : methodsLeft;
    this.#offered = wasSigned ? [] : methodsLeft;
    this.#noteAnswer(wasSigned || partialSuccess === true);
    for (const way of this.#ways(methods)) {
      const method = way === 'publickey' ? await this.#offerKey(methods) : await this.#askPerson(way);
      if (method) return method;
    }
    throw this.failure();
  }

  /** Why nobody was let in. */
  failure(cause?: unknown): Failure {
    const { user, hostName } = this.#host;
    const refused = this.#tried.length > 0 ? `refused ${this.#tried.join(', ')}` : 'was offered nothing';
    const tried = this.#succeeded.size > 0 ? 'took the key and wants a second factor' : refused;
    const offered = this.#offered.length > 0 ? ` (it takes ${this.#offered.join(', ')})` : '';
    return new Failure('ssh/authentication', `${hostName} does not let ${user} in: it ${tried}${offered}`, {
      hint: this.#hint(cause),
      cause,
    });
  }

  #hint(cause: unknown): string {
    if (/too many authentication/i.test(String(cause))) {
      return 'Too many keys were offered: name the right one with IdentityFile and set IdentitiesOnly yes in ~/.ssh/config.';
    }
    if (this.passwordsForbidden) return 'No password was sent, because the key of the host has changed.';
    if (this.#host.batchMode || this.#succeeded.size > 0)
      return 'Connect again to be asked for a password or a passphrase.';
    if (this.#offered.length === 1 && this.#offered[0] === 'publickey') {
      return `The host takes only keys: add your public key to its authorized_keys, name it with IdentityFile in ~/.ssh/config, and check the user name ${this.#host.user}.`;
    }
    return `Check the user name ${this.#host.user}, and try ssh in a terminal.`;
  }

  #noteAnswer(isPartial: boolean): void {
    const current = this.#current;
    this.#current = undefined;
    if (!current) return;
    if (isPartial) {
      // One of several factors was right; every way is open again for the next one.
      this.#log.debug(`${this.#host.hostName} took ${nameOf(current)} and wants more`);
      if (current.identity) this.#succeeded.add(current.identity);
      this.#identities = undefined;
      this.#attempts = { password: 0, 'keyboard-interactive': 0 };
      return;
    }
    this.#tried.push(nameOf(current));
    if (current.way === 'publickey') this.#keyFailures++;
  }

  #ways(methodsLeft: AuthenticationType[]): Way[] {
    const host = this.#host;
    const mayAsk = !host.batchMode && !this.passwordsForbidden;
    const enabled: Record<Way, boolean> = {
      publickey: host.pubkeyAuthentication,
      'keyboard-interactive': host.kbdInteractiveAuthentication && mayAsk,
      password: host.passwordAuthentication && mayAsk,
    };
    const ways = host.preferredAuthentications.filter((way): way is Way => way in enabled);
    const open = ways.filter(way => enabled[way] && methodsLeft.includes(way));
    return methodsLeft === secondFactors ? open.sort((a, b) => methodsLeft.indexOf(a) - methodsLeft.indexOf(b)) : open;
  }

  async #offerKey(methodsLeft: AuthenticationType[]): Promise<AnyAuthMethod | undefined> {
    this.#identities ??= (await loadIdentities(this.#host, this.#ask, this.#log)).filter(
      identity => ![...this.#succeeded].some(used => used.label === identity.label),
    );
    const hasOtherWay = this.#ways(methodsLeft).length > 1;
    while (!hasOtherWay || this.#keyFailures < maxKeyFailures) {
      const identity = this.#identities.shift();
      if (!identity) return undefined;
      const key = identity.publicKey ?? (await identity.unlock?.());
      if (!key) continue;
      this.#current = { way: 'publickey', identity };
      this.#log.debug(`offering ${identity.label}`);
      return { type: 'agent', username: this.#host.user, agent: new IdentityAgent(identity, key) };
    }
    return undefined;
  }

  async #askPerson(way: 'password' | 'keyboard-interactive'): Promise<AnyAuthMethod | undefined> {
    if (this.#attempts[way] >= this.#host.numberOfPasswordPrompts) return undefined;
    const attempt = ++this.#attempts[way];
    this.#current = { way };
    const username = this.#host.user;
    const title = `${username}@${this.#host.hostName}`;
    if (way === 'password') {
      const fields = [{ text: `${title}'s password: `, echo: false }];
      const answers = await this.#ask({ kind: 'password', title, instruction: '', fields, attempt });
      if (!answers) throw cancelled();
      return { type: 'password', username, password: answers[0] ?? '' };
    }
    return {
      type: 'keyboard-interactive',
      username,
      prompt: (name, instruction, _language, prompts, finish) => {
        const fields = prompts.map(({ prompt, echo }) => ({ text: prompt, echo: echo ?? false }));
        const question = { kind: way, title: name || title, instruction, fields, attempt };
        this.#ask(question).then(
          answers => (answers ? finish(answers) : this.onCancel(cancelled())),
          error => this.onCancel(error),
        );
      },
    };
  }

  /** Called where a question in the middle of an exchange stays unanswered. */
  onCancel: (reason: unknown) => void = () => {};
}

function nameOf({ way, identity }: { way: Way; identity?: Identity }): string {
  return identity ? `the key ${identity.label}` : `the ${way === 'password' ? 'password' : 'answers'}`;
}

function cancelled(): Failure {
  return new Failure('ssh/cancelled', 'the connection was given up');
}
