import ssh2, { type Client } from 'ssh2';
import { Failure } from '#base/failure.ts';
import type { Log } from '#base/log.ts';
import { Authentication } from './authentication.ts';
import { lostFailure, timeoutFailure, toFailure } from './failures.ts';
import type { Host } from './host.ts';
import { HostKeyCheck } from './host-key.ts';
import type { Prompts, Question } from './prompts.ts';
import type { Transport } from './transport.ts';

/** Who is told and asked while a connection is made. */
export interface Company {
  prompts: Prompts;
  log: Log;
  /** What the host says before the login. */
  onBanner(text: string): void;
  /** A person was asked for a secret. */
  onAsked(): void;
  signal: AbortSignal | undefined;
}

/** Speaks SSH over `transport`: checks the host's key, then logs in. Throws a Failure, and leaves nothing open then. */
export function openClient(host: Host, transport: Transport, company: Company): Promise<Client> {
  const { prompts, log, signal } = company;
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    const patience = new Patience(host.connectTimeout, () => fail(timeoutFailure(host)));
    let isSettled = false;
    const fail = (reason: unknown) => {
      if (isSettled) return;
      isSettled = true;
      leave();
      client.destroy();
      transport.close();
      reject(reason);
    };
    const abort = () => fail(signal?.reason);
    const leave = () => {
      patience.stop();
      signal?.removeEventListener('abort', abort);
    };
    if (signal?.aborted) return fail(signal.reason);
    signal?.addEventListener('abort', abort, { once: true });

    const ask = async (question: Question) => {
      // The clock stands still while a person thinks.
      patience.stop();
      company.onAsked();
      const answers = host.batchMode ? undefined : await prompts.ask(question);
      patience.start();
      return answers;
    };
    const authentication = new Authentication(host, ask, log);
    authentication.onCancel = fail;
    const hostKeyCheck = new HostKeyCheck(host);
    let trusted: Buffer | undefined;

    client.on('banner', text => company.onBanner(text));
    client.on('change password', () => fail(expired(host)));
    client.on('error', (error: Error & { level?: string }) => {
      // A key that can't sign (no passphrase, agent said no) is passed over; the next one is tried.
      if (error.level === 'agent') return log.debug(error.message);
      const isRefusal = /too many authentication/i.test(error.message);
      fail(isRefusal ? authentication.failure(error) : toFailure(error, host));
    });
    client.on('close', () => fail(lostFailure(host)));
    client.on('ready', () => {
      if (isSettled) return;
      isSettled = true;
      leave();
      resolve(client);
    });

    patience.start();
    client.connect({
      sock: transport.stream,
      username: host.user,
      // Ours stands still while a person thinks; ssh2's does not.
      readyTimeout: 0,
      keepaliveInterval: host.serverAliveInterval * 1000,
      keepaliveCountMax: host.serverAliveCountMax,
      algorithms: { serverHostKey: hostKeyCheck.algorithms as never },
      hostVerifier: (key: Buffer, verify: (isTrusted: boolean) => void) => {
        // Asked again whenever session keys are renewed.
        if (trusted) return verify(trusted.equals(key));
        patience.stop();
        hostKeyCheck.check(key, prompts, log).then(passwordsForbidden => {
          if (isSettled) return verify(false);
          authentication.passwordsForbidden = passwordsForbidden;
          trusted = key;
          patience.start();
          verify(true);
        }, fail);
      },
      authHandler: (methodsLeft, partialSuccess, next) => {
        patience.start();
        authentication.next(methodsLeft, partialSuccess).then(method => {
          if (!isSettled) next(method);
        }, fail);
      },
    });
  });
}

/** Ends a wait that is nobody's thinking. */
class Patience {
  readonly #seconds: number;
  readonly #onEnd: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(seconds: number, onEnd: () => void) {
    this.#seconds = seconds;
    this.#onEnd = onEnd;
  }

  start(): void {
    this.stop();
    this.#timer = setTimeout(this.#onEnd, this.#seconds * 1000);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function expired(host: Host): Failure {
  return new Failure('ssh/password-expired', `the password of ${host.user} on ${host.hostName} has expired`, {
    hint: `Log in with ssh ${host.user}@${host.hostName} in a terminal; it asks for a new one.`,
  });
}
