import * as vscode from 'vscode';
import { formatFailure } from '#base/failure.ts';
import { listNodes, probe } from '#protocol/messages.ts';
import type { NodeReport } from '#protocol/probe.ts';
import type { Cluster } from '#remote/cluster.ts';
import type { Clusters } from './clusters.ts';
import type { Messages } from './messages.ts';
import { describeEngine } from './node-tree.ts';
import type { Runs } from './runs.ts';

/** What the helpers found out about the nodes of the clusters: the login node when it is connected to, others when a run was there. */
export class Nodes {
  readonly #messages: Messages;
  readonly #clusters: Clusters;
  readonly #byCluster = new Map<string, NodeReport[]>();
  readonly #changed = new vscode.EventEmitter<string>();
  /** What is known of the nodes of this cluster changed. */
  readonly onDidChange = this.#changed.event;

  constructor(context: vscode.ExtensionContext, clusters: Clusters, runs: Runs, messages: Messages) {
    this.#clusters = clusters;
    this.#messages = messages;
    const test = (name: string, cluster: Cluster) =>
      this.#test(name, cluster, false).catch((error: unknown) => {
        messages.log.warn(`${name}: what the login node can do is not known: ${formatFailure(error)}`);
      });
    context.subscriptions.push(
      this.#changed,
      clusters.onDidOpen(({ name, cluster }) => void test(name, cluster)),
      // It may have been on a node that nobody had looked at.
      runs.onDidEnd(({ cluster: name }) => {
        const cluster = clusters.find(name);
        if (cluster) void test(name, cluster);
      }),
    );
  }

  /** The newest first; empty until the helper has answered. */
  list(cluster: string): readonly NodeReport[] {
    return this.#byCluster.get(cluster) ?? [];
  }

  /** Tests the login node again, and tells how that ended. */
  async testAgain(name: string): Promise<void> {
    const cluster = await this.#clusters.connect(name);
    const { hostname, best, findings } = await this.#test(name, cluster, true);
    const text = `On ${hostname} ${describeEngine(best)}.`;
    const reasons = findings.filter(each => !each.isGood).map(each => `${each.what}: ${each.message}`);
    const show = best === undefined ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
    const chosen = await show(text, ...(reasons.length > 0 ? ['Show Why'] : []));
    if (chosen !== undefined) await show(text, { modal: true, detail: reasons.join('\n\n') });
  }

  async #test(name: string, cluster: Cluster, fresh: boolean): Promise<NodeReport> {
    const report = await cluster.request(probe, { fresh });
    const known = await cluster.ask(listNodes);
    // One where nothing works, or that has to be tested each time, is not among those that are remembered.
    const isKnown = known.some(each => each.hostname === report.hostname && each.tested === report.tested);
    this.#byCluster.set(name, isKnown ? known : [report, ...known]);
    this.#changed.fire(name);
    if (report.best === undefined) {
      const reasons = report.findings.filter(each => !each.isGood).map(each => `${each.what}: ${each.message}`);
      this.#messages.log.warn(`${name}: on ${report.hostname} ${describeEngine(undefined)}. ${reasons.join(' ')}`);
    }
    return report;
  }
}
