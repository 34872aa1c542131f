import type { NotificationType, RequestType, RequestType0 } from 'vscode-jsonrpc/node';
import { Failure, isFailure } from '#base/failure.ts';
import { type Log, type Progress, silentLog } from '#base/log.ts';
import type { FailureData } from '#protocol/messages.ts';
import type { Connection, RemoteTerminal } from '#ssh/connection.ts';
import type { HostSettings } from '#ssh/host-settings.ts';
import { openConnection } from '#ssh/open-connection.ts';
import { noPrompts, type Prompts } from '#ssh/prompts.ts';
import { type Helper, openHelper, planHelper } from './helper.ts';
import type { HostReport, Installed } from './host-report.ts';
import { installKit } from './install-kit.ts';
import type { LocalKit } from './local-kit.ts';
import { probeHost } from './probe-host.ts';

/** What the user configures for one cluster. */
export interface ClusterSettings extends HostSettings {
  /** Install folder on the cluster, with variables of its environment; default `$HOME/.cwl-on-clusters`. */
  folder?: string;
}

export type ClusterState =
  | { kind: 'connecting' }
  | { kind: 'installing'; progress?: Progress }
  | { kind: 'ready' }
  /** `retrying`: it is connected again by itself; false: somebody must call `reconnect`, because a secret will be asked. */
  | { kind: 'lost'; reason: Failure; retrying: boolean }
  | { kind: 'closed' };

export interface ClusterOptions {
  /** What may be installed there, see `loadKits`. */
  kits: readonly LocalKit[];
  onState?(state: ClusterState): void;
  onBanner?(text: string): void;
  log?: Log;
  signal?: AbortSignal;
}

/** Seconds between tries to get a lost connection back; the last one goes on. */
const retryDelays = [1, 2, 5, 15, 30, 60];

/** Milliseconds that a helper lives unless something is wrong with it from the beginning. */
const shortestLife = 2000;

/** Connects, looks at the host, installs what is missing and starts the helper. Throws a Failure and leaves nothing open. */
export async function openCluster(
  settings: ClusterSettings,
  prompts: Prompts,
  options: ClusterOptions,
): Promise<Cluster> {
  const cluster = new Cluster(settings, prompts, options);
  await cluster.reconnect(options.signal);
  return cluster;
}

/** A cluster and the helper on it; it outlives its connections. */
export class Cluster {
  readonly settings: ClusterSettings;
  readonly #prompts: Prompts;
  readonly #options: ClusterOptions;
  readonly #log: Log;
  readonly #stateListeners = new Set<(state: ClusterState) => void>();
  readonly #subscriptions = new Set<Subscription>();
  #state: ClusterState = { kind: 'closed' };
  #link: Link | undefined;
  #opening: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Ends an attempt that is under way when the cluster is closed. */
  #attempt = new AbortController();

  constructor(settings: ClusterSettings, prompts: Prompts, options: ClusterOptions) {
    this.settings = settings;
    this.#prompts = prompts;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    if (options.onState) this.#stateListeners.add(options.onState);
  }

  get state(): ClusterState {
    return this.#state;
  }

  /** Throws `remote/disconnected` while there is no connection. */
  get connection(): Connection {
    return this.#current().connection;
  }

  get helper(): Helper {
    return this.#current().helper;
  }

  get installed(): Installed {
    return this.#current().installed;
  }

  /** What the last look at the host found. */
  get report(): HostReport {
    return this.#current().report;
  }

  /** Calls `listener` at every change of state until the returned function is called. */
  onState(listener: (state: ClusterState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  async request<P, R>(type: RequestType<P, R, FailureData>, parameters: P, signal?: AbortSignal): Promise<R> {
    return this.helper.request(type, parameters, signal);
  }

  async ask<R>(type: RequestType0<R, FailureData>, signal?: AbortSignal): Promise<R> {
    return this.helper.ask(type, signal);
  }

  /** As `Helper.on`, and it goes on after a new connection. */
  on<P>(type: NotificationType<P>, listener: (parameters: P) => void): () => void {
    const subscription: Subscription = { attach: helper => helper.on(type, listener), detach: undefined };
    this.#subscriptions.add(subscription);
    if (this.#link) subscription.detach = subscription.attach(this.#link.helper);
    return () => {
      subscription.detach?.();
      this.#subscriptions.delete(subscription);
    };
  }

  /** A terminal with a command of the helper in it: `['shell', run, task]`. */
  openTerminal(args: readonly string[], size: { columns: number; rows: number }): Promise<RemoteTerminal> {
    return this.connection.openTerminal(planHelper(this.installed, args), size);
  }

  /** Connects unless there is a connection; a person may be asked. Several calls at once share one attempt. */
  async reconnect(signal?: AbortSignal): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#state.kind === 'ready') return;
    this.#opening ??= this.#open(this.#prompts, signal)
      .catch((error: unknown) => {
        this.#tell({ kind: 'closed' });
        throw error;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#attempt.abort(new Failure('ssh/cancelled', `the connection to ${this.settings.host} was given up`));
    const link = this.#link;
    this.#link = undefined;
    this.#tell({ kind: 'closed' });
    link?.helper.close();
    link?.connection.close();
  }

  #current(): Link {
    if (this.#link) return this.#link;
    throw new Failure('remote/disconnected', `there is no connection to ${this.settings.host}`, {
      hint: 'Connect to the cluster first.',
    });
  }

  async #open(prompts: Prompts, signal: AbortSignal | undefined): Promise<void> {
    this.#tell({ kind: 'connecting' });
    this.#attempt = new AbortController();
    const { signal: closing } = this.#attempt;
    this.#use(await this.#makeLink(prompts, signal ? AbortSignal.any([signal, closing]) : closing));
  }

  #use(link: Link): void {
    this.#link = link;
    for (const each of this.#subscriptions) each.detach = each.attach(link.helper);
    this.#tell({ kind: 'ready' });
    const since = Date.now();
    void link.helper.closed.then(reason => this.#lose(link, reason, Date.now() - since));
  }

  async #makeLink(prompts: Prompts, signal: AbortSignal | undefined): Promise<Link> {
    const { kits, onBanner } = this.#options;
    const isSilent = prompts === noPrompts;
    // Without prompts no way in is even begun that would need one: a second factor would ring somebody's phone.
    const options = isSilent ? { ...this.settings.options, BatchMode: 'yes' } : this.settings.options;
    const connection = await openConnection({ ...this.settings, options }, prompts, {
      log: this.#log,
      onBanner,
      signal,
    });
    try {
      const report = await probeHost(connection, { folder: this.settings.folder, kits, signal });
      if (!report.installed) this.#tell({ kind: 'installing' });
      const onProgress = (progress: Progress) => this.#tell({ kind: 'installing', progress });
      const installed = await installKit(connection, kits, report, { onProgress, signal });
      return { connection, report, installed, helper: await openHelper(connection, installed, { signal }) };
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** `age`: how long the helper had been there, in milliseconds. */
  async #lose(link: Link, reason: Failure | undefined, age: number): Promise<void> {
    if (this.#link !== link) return;
    this.#link = undefined;
    if (isFailure(reason, 'remote/helper') && age > shortestLife) {
      // The connection is still there: another helper needs no login. One that dies at once is not tried again.
      this.#tell({ kind: 'connecting' });
      const helper = await openHelper(link.connection, link.installed).catch(() => undefined);
      if (helper && !this.#attempt.signal.aborted) return this.#use({ ...link, helper });
    }
    link.connection.close();
    if (this.#attempt.signal.aborted) return;
    const failure = reason ?? new Failure('ssh/lost', `the connection to ${this.settings.host} was lost`);
    this.#log.warn(failure.message);
    this.#tell({ kind: 'lost', reason: failure, retrying: !link.connection.wasAsked });
    if (!link.connection.wasAsked) this.#retryLater(0);
  }

  /** Only after a login that asked nobody anything. */
  #retryLater(count: number): void {
    const delay = retryDelays[Math.min(count, retryDelays.length - 1)] as number;
    this.#retry = setTimeout(() => {
      if (this.#state.kind !== 'lost' || this.#opening !== undefined) return;
      const lost = this.#state;
      this.#opening = this.#open(noPrompts, undefined)
        .catch((error: unknown) => {
          const reason = error instanceof Failure ? error : lost.reason;
          // What another try can't mend is left to a person.
          const retrying = ['ssh/lost', 'ssh/timeout', 'ssh/refused', 'ssh/unreachable', 'ssh/unknown-host'].some(
            code => isFailure(reason, code),
          );
          this.#tell({ kind: 'lost', reason, retrying });
          if (retrying) this.#retryLater(count + 1);
        })
        .finally(() => {
          this.#opening = undefined;
        });
    }, delay * 1000);
    // A lost cluster alone keeps no process alive.
    this.#retry.unref();
  }

  #tell(state: ClusterState): void {
    this.#state = state;
    for (const listener of this.#stateListeners) listener(state);
  }
}

/** What one login gave. */
interface Link {
  connection: Connection;
  report: HostReport;
  installed: Installed;
  helper: Helper;
}

interface Subscription {
  attach(helper: Helper): () => void;
  detach: (() => void) | undefined;
}
