import type { Client, ClientChannel } from 'ssh2';
import { Failure } from '#base/failure.ts';
import { lostFailure } from './failures.ts';
import type { Host } from './host.ts';

type OpenError = Error & { reason?: string | number };

/** Starts the channels of one connection, and waits its turn where the host allows only a few at once (MaxSessions). */
export class Channels {
  readonly #client: Client;
  readonly #host: Host;
  #count = 0;
  /** Channels that end by themselves, soon. */
  readonly #passing = new Set<Promise<void>>();

  constructor(client: Client, host: Host) {
    this.#client = client;
    this.#host = host;
  }

  /** How many were opened so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * A channel with a program in it. `isPassing`: it ends by itself, so others may wait for it; a channel that stays open
   * until somebody closes it is not waited for.
   */
  async open<T extends ClientChannel | SftpChannel>(start: Starter<T>, isPassing: boolean): Promise<T> {
    for (let retries = 0; ; ) {
      try {
        const channel = await this.#start(start);
        this.#count++;
        if (isPassing) this.#notePassing(channel);
        return channel;
      } catch (error) {
        if (!isRefused(error)) throw this.#explain(error);
        if (this.#passing.size > 0) await Promise.race(this.#passing);
        // A channel that has just ended may not yet have been counted out at the other side.
        else if (retries++ < 3) await new Promise(resolve => setTimeout(resolve, 100));
        else throw this.#explain(error);
      }
    }
  }

  #start<T>(start: Starter<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const onClose = () => reject(lostFailure(this.#host));
      this.#client.once('close', onClose);
      try {
        start(this.#client, (error, channel) => {
          this.#client.off('close', onClose);
          if (error) reject(error);
          else resolve(channel);
        });
      } catch (error) {
        this.#client.off('close', onClose);
        reject(lostFailure(this.#host, error));
      }
    });
  }

  #notePassing(channel: { once(event: 'close', listener: () => void): unknown }): void {
    const ended = new Promise<void>(resolve => channel.once('close', () => resolve()));
    this.#passing.add(ended);
    void ended.then(() => this.#passing.delete(ended));
  }

  #explain(error: unknown): Failure {
    if (error instanceof Failure) return error;
    if (isRefused(error)) {
      return new Failure('ssh/too-many-channels', `${this.#host.hostName} allows no further session`, {
        hint: 'The host limits sessions per connection (MaxSessions). Close terminals of this cluster and try again.',
        cause: error,
      });
    }
    if (/no response|not connected/i.test((error as Error).message)) return lostFailure(this.#host, error);
    return new Failure('ssh/channel', `${this.#host.hostName} did not start the program`, { cause: error });
  }
}

/** What `ssh2` calls `exec`, `shell` and `sftp`. */
export type Starter<T> = (client: Client, done: (error: Error | undefined, channel: T) => void) => void;
interface SftpChannel {
  once(event: 'close', listener: () => void): unknown;
}

/** RFC 4254 §5.1: 1 administratively prohibited, 2 connect failed (OpenSSH beyond MaxSessions), 4 resource shortage. */
function isRefused(error: unknown): boolean {
  const { reason } = error as OpenError;
  return reason === 1 || reason === 2 || reason === 4;
}
