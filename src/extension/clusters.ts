import { join } from 'node:path';
import * as vscode from 'vscode';
import { Failure } from '#base/failure.ts';
import type { Progress } from '#base/log.ts';
import { type Cluster, type ClusterState, openCluster } from '#remote/cluster.ts';
import { loadKits } from '#remote/local-kit.ts';
import { noPrompts } from '#remote/prompts.ts';
import type { ClusterEntry } from './cluster-settings.ts';
import { HostPrompts } from './host-prompts.ts';
import type { Messages } from './messages.ts';
import type { Secrets } from './secrets.ts';
import { loadClusters } from './settings.ts';

/** How things stand with one cluster of the settings. */
export type ClusterStatus =
  | { kind: 'off' }
  | { kind: 'busy'; what: string; progress?: Progress }
  | { kind: 'on' }
  | { kind: 'lost'; reason: Failure; isRetrying: boolean };

/** The clusters of the settings, and the connections to them. */
export class Clusters {
  readonly #context: vscode.ExtensionContext;
  readonly #messages: Messages;
  readonly #secrets: Secrets;
  readonly #links = new Map<string, Link>();
  readonly #changed = new vscode.EventEmitter<string | undefined>();
  readonly #opened = new vscode.EventEmitter<{ name: string; cluster: Cluster }>();
  /** The status of a cluster changed; without a name, the list of clusters did. */
  readonly onDidChange = this.#changed.event;
  /** There is a connection where there was none; what was subscribed to an earlier one is gone. */
  readonly onDidOpen = this.#opened.event;
  #entries: ClusterEntry[] = [];

  constructor(context: vscode.ExtensionContext, messages: Messages, secrets: Secrets) {
    this.#context = context;
    this.#messages = messages;
    this.#secrets = secrets;
    const subscription = vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('cwl.clusters')) this.#load();
      else if (event.affectsConfiguration('cwl')) this.#changed.fire(undefined);
    });
    context.subscriptions.push(subscription, this.#changed, this.#opened, { dispose: () => this.#closeAll() });
    this.#load();
  }

  get entries(): readonly ClusterEntry[] {
    return this.#entries;
  }

  /** Throws a Failure where the settings know no such cluster. */
  entry(name: string): ClusterEntry {
    const entry = this.#entries.find(each => each.name === name);
    if (entry) return entry;
    throw new Failure('extension/no-cluster', `the settings know no cluster “${name}”`, {
      hint: 'Add it with “CWL: Add Cluster…”.',
    });
  }

  statusOf(name: string): ClusterStatus {
    return this.#links.get(name)?.status ?? { kind: 'off' };
  }

  /** The cluster if it can be asked now. */
  find(name: string): Cluster | undefined {
    const link = this.#links.get(name);
    return link?.status.kind === 'on' ? link.cluster : undefined;
  }

  /**
   * The cluster, connected to. `isSilent`: nobody is asked anything, so it fails where a question would come up.
   * Several calls at once share one attempt.
   */
  async connect(name: string, options: ConnectOptions = {}): Promise<Cluster> {
    const before = this.#links.get(name);
    if (before?.status.kind === 'on' && before.cluster) return before.cluster;
    if (before?.opening && (options.isSilent || !before.isSilent)) return before.opening;
    if (before) this.disconnect(name);
    const link: Link = {
      status: { kind: 'busy', what: 'connecting' },
      isSilent: options.isSilent ?? false,
      stop: new AbortController(),
    };
    this.#links.set(name, link);
    this.#changed.fire(name);
    link.opening = this.#open(name, link, options).finally(() => {
      link.opening = undefined;
    });
    return link.opening;
  }

  disconnect(name: string): void {
    const link = this.#links.get(name);
    if (!link) return;
    this.#links.delete(name);
    link.stop.abort();
    link.cluster?.close();
    this.#changed.fire(name);
  }

  async #open(name: string, link: Link, options: ConnectOptions): Promise<Cluster> {
    const signals = options.signal ? [link.stop.signal, options.signal] : [link.stop.signal];
    const entry = this.entry(name);
    try {
      const prompts = link.isSilent ? noPrompts : new HostPrompts(this.#secrets, name);
      const cluster = await openCluster(toRemoteSettings(entry), prompts, {
        kits: await loadKits(join(this.#context.extensionPath, 'dist', 'kit')),
        log: this.#messages.log,
        signal: AbortSignal.any(signals),
        onState: state => this.#follow(name, link, state, options),
        onBanner: text => this.#messages.log.info(`${entry.host} says: ${text.trim()}`),
      });
      link.cluster = cluster;
      link.status = { kind: 'on' };
      this.#opened.fire({ name, cluster });
      this.#changed.fire(name);
      return cluster;
    } catch (error) {
      if (this.#links.get(name) === link) {
        this.#links.delete(name);
        this.#changed.fire(name);
      }
      throw error;
    }
  }

  #follow(name: string, link: Link, state: ClusterState, options: ConnectOptions): void {
    if (this.#links.get(name) !== link) return;
    if (state.kind === 'connecting') link.status = { kind: 'busy', what: 'connecting' };
    else if (state.kind === 'installing') {
      link.status = { kind: 'busy', what: 'installing the helper', progress: state.progress };
      options.onInstall?.(state.progress);
    } else if (state.kind === 'lost') {
      link.status = { kind: 'lost', reason: state.reason, isRetrying: state.retrying };
    } else if (state.kind === 'ready' && link.cluster) link.status = { kind: 'on' };
    this.#changed.fire(name);
  }

  #load(): void {
    const { clusters, faults } = loadClusters();
    for (const fault of faults) this.#messages.log.warn(fault);
    for (const before of this.#entries) {
      const now = clusters.find(each => each.name === before.name);
      // A connection was made with the settings of then.
      if (JSON.stringify(now) !== JSON.stringify(before)) this.disconnect(before.name);
    }
    this.#entries = clusters;
    this.#changed.fire(undefined);
  }

  #closeAll(): void {
    for (const name of [...this.#links.keys()]) this.disconnect(name);
  }
}

export interface ConnectOptions {
  isSilent?: boolean;
  signal?: AbortSignal;
  onInstall?(progress: Progress | undefined): void;
}

interface Link {
  status: ClusterStatus;
  isSilent: boolean;
  stop: AbortController;
  cluster?: Cluster;
  opening?: Promise<Cluster>;
}

function toRemoteSettings(entry: ClusterEntry): Parameters<typeof openCluster>[0] {
  return { host: entry.host, configFile: entry.sshConfig, options: entry.sshOptions, folder: entry.folder };
}
