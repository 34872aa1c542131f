import * as vscode from 'vscode';
import type { LockFinding } from '#protocol/locks.ts';
import {
  cancelRun,
  listRuns,
  lockConflict,
  removeRun,
  resumeRun,
  runChanged,
  runRemoved,
  showRun,
} from '#protocol/messages.ts';
import type { RunDetail, RunSummary } from '#protocol/runs.ts';
import type { Cluster } from '#remote/cluster.ts';
import type { Clusters } from './clusters.ts';
import type { Messages } from './messages.ts';
import { isActive } from './run-tree.ts';

const unfinishedKey = 'cwl.unfinished';

/** A run and where it is. */
export interface RunKey {
  cluster: string;
  id: string;
}

/** What the helpers told about the runs of all clusters; the truth is on the clusters. */
export class Runs {
  readonly #clusters: Clusters;
  readonly #messages: Messages;
  readonly #memory: vscode.Memento;
  readonly #byCluster = new Map<string, Map<string, RunSummary | RunDetail>>();
  /** Runs that were started here and whose end was not told yet. */
  readonly #started = new Set<string>();
  readonly #changed = new vscode.EventEmitter<RunKey | undefined>();
  readonly #ended = new vscode.EventEmitter<RunKey & { run: RunDetail }>();
  readonly #conflicts = new vscode.EventEmitter<{ cluster: string; finding: LockFinding }>();
  /** A run changed; without a key, the list did. */
  readonly onDidChange = this.#changed.event;
  /** A run that was seen at work has ended. */
  readonly onDidEnd = this.#ended.event;
  readonly onLockConflict = this.#conflicts.event;

  constructor(context: vscode.ExtensionContext, clusters: Clusters, messages: Messages) {
    this.#clusters = clusters;
    this.#messages = messages;
    this.#memory = context.globalState;
    context.subscriptions.push(
      this.#changed,
      this.#ended,
      this.#conflicts,
      clusters.onDidOpen(({ name, cluster }) => this.#subscribe(name, cluster)),
      // What is shown of a cluster without a connection is of yesterday, and says so.
      clusters.onDidChange(() => this.#changed.fire(undefined)),
    );
  }

  /** All runs that are known, the newest first. */
  list(): (RunKey & { run: RunSummary | RunDetail })[] {
    const known = new Set(this.#clusters.entries.map(each => each.name));
    return [...this.#byCluster]
      .filter(([cluster]) => known.has(cluster))
      .flatMap(([cluster, runs]) => [...runs.values()].map(run => ({ cluster, id: run.id, run })))
      .sort((a, b) => b.run.started.localeCompare(a.run.started));
  }

  find({ cluster, id }: RunKey): RunSummary | RunDetail | undefined {
    return this.#byCluster.get(cluster)?.get(id);
  }

  /** With its steps and tasks; asks the helper if only the sum is known. */
  async loadDetail(key: RunKey): Promise<RunDetail> {
    const known = this.find(key);
    if (known && 'taskList' in known) return known;
    const cluster = this.#clusters.find(key.cluster) ?? (await this.#clusters.connect(key.cluster));
    const detail = await cluster.request(showRun, { id: key.id });
    this.#put(key.cluster, detail);
    return detail;
  }

  isStale(cluster: string): boolean {
    return this.#clusters.find(cluster) === undefined;
  }

  /** A run was started here: it is shown now, and its end told even if it has ended already. */
  async noteStart(key: RunKey, cluster: Cluster): Promise<void> {
    this.#started.add(`${key.cluster}/${key.id}`);
    this.#put(key.cluster, await cluster.request(showRun, { id: key.id }));
  }

  async refresh(): Promise<void> {
    for (const { name } of this.#clusters.entries) {
      const cluster = this.#clusters.find(name);
      if (cluster) await this.#load(name, cluster);
    }
  }

  async cancel(key: RunKey): Promise<void> {
    await (await this.#clusters.connect(key.cluster)).request(cancelRun, { id: key.id });
  }

  async resume(key: RunKey): Promise<void> {
    await (await this.#clusters.connect(key.cluster)).request(resumeRun, { id: key.id });
  }

  async remove(key: RunKey): Promise<void> {
    await (await this.#clusters.connect(key.cluster)).request(removeRun, { id: key.id });
    this.#forget(key);
  }

  /** Nothing is left on this cluster. */
  clear(cluster: string): void {
    this.#byCluster.delete(cluster);
    this.#changed.fire(undefined);
  }

  /** Clusters on which something was still running when they were last seen. */
  unfinished(): string[] {
    return this.#memory.get<string[]>(unfinishedKey, []);
  }

  #subscribe(name: string, cluster: Cluster): void {
    cluster.on(runChanged, run => this.#put(name, run));
    cluster.on(runRemoved, ({ id }) => this.#forget({ cluster: name, id }));
    cluster.on(lockConflict, finding => this.#conflicts.fire({ cluster: name, finding }));
    const load = () => void this.#load(name, cluster).catch(error => this.#messages.showFailure(error));
    // After a break it may have missed a lot.
    cluster.onState(state => state.kind === 'ready' && load());
    load();
  }

  async #load(name: string, cluster: Cluster): Promise<void> {
    const summaries = await cluster.ask(listRuns);
    const before = this.#byCluster.get(name);
    const now = new Map<string, RunSummary | RunDetail>();
    for (const summary of summaries) {
      const known = before?.get(summary.id);
      // The steps of a run that has ended and was looked at do not change any more.
      const isSame = known && 'taskList' in known && known.ended !== undefined && known.ended === summary.ended;
      now.set(summary.id, isSame ? known : summary);
    }
    this.#byCluster.set(name, now);
    this.#remember();
    this.#changed.fire(undefined);
    for (const summary of summaries) {
      if (isActive(summary)) this.#put(name, await cluster.request(showRun, { id: summary.id }));
    }
  }

  #put(cluster: string, run: RunDetail): void {
    const runs = this.#byCluster.get(cluster) ?? new Map<string, RunSummary | RunDetail>();
    this.#byCluster.set(cluster, runs);
    const before = runs.get(run.id);
    runs.set(run.id, run);
    const key = { cluster, id: run.id };
    const isNew = !before || isActive(before) !== isActive(run);
    this.#changed.fire(isNew ? undefined : key);
    if (isNew) this.#remember();
    if (isActive(run)) return;
    const wasStarted = this.#started.delete(`${cluster}/${run.id}`);
    if (wasStarted || (before && isActive(before))) this.#ended.fire({ ...key, run });
  }

  #forget({ cluster, id }: RunKey): void {
    this.#byCluster.get(cluster)?.delete(id);
    this.#remember();
    this.#changed.fire(undefined);
  }

  #remember(): void {
    const names = [...this.#byCluster].filter(([, runs]) => [...runs.values()].some(isActive)).map(([name]) => name);
    // Of a cluster that was not asked nothing new is known.
    const unseen = this.unfinished().filter(name => !this.#byCluster.has(name));
    void this.#memory.update(unfinishedKey, [...names, ...unseen]);
  }
}
