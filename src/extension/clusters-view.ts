import * as vscode from 'vscode';
import type { NodeFinding, NodeReport } from '#protocol/probe.ts';
import type { ClusterStatus, Clusters } from './clusters.ts';
import { formatProgress } from './format.ts';
import { describeEngine, describeFinding, describeNode } from './node-tree.ts';
import type { Nodes } from './nodes.ts';
import type { Look } from './run-tree.ts';
import { loadDefaultCluster } from './settings.ts';

/** A cluster by its name, one of its nodes, or what was found there. */
type Line = string | { cluster: string; node: NodeReport; finding?: NodeFinding };

/** The view *Clusters*: one line for each cluster of the settings, and below it the nodes that were looked at. */
export class ClustersView implements vscode.TreeDataProvider<Line> {
  readonly #clusters: Clusters;
  readonly #nodes: Nodes;
  readonly onDidChangeTreeData: vscode.Event<undefined>;

  constructor(context: vscode.ExtensionContext, clusters: Clusters, nodes: Nodes) {
    this.#clusters = clusters;
    this.#nodes = nodes;
    const changed = new vscode.EventEmitter<undefined>();
    this.onDidChangeTreeData = changed.event;
    const update = () => {
      changed.fire(undefined);
      const isConnected = clusters.entries.some(({ name }) => clusters.statusOf(name).kind === 'on');
      void vscode.commands.executeCommand('setContext', 'cwl.connected', isConnected);
      void vscode.commands.executeCommand('setContext', 'cwl.hasClusters', clusters.entries.length > 0);
    };
    update();
    context.subscriptions.push(
      changed,
      clusters.onDidChange(update),
      nodes.onDidChange(update),
      vscode.window.registerTreeDataProvider('cwl.clusters', this),
    );
  }

  getChildren(parent?: Line): Line[] {
    if (parent === undefined) return this.#clusters.entries.map(each => each.name);
    if (typeof parent === 'string') return this.#list(parent).map(node => ({ cluster: parent, node }));
    return parent.finding ? [] : parent.node.findings.map(finding => ({ ...parent, finding }));
  }

  getTreeItem(line: Line): vscode.TreeItem {
    if (typeof line !== 'string') return this.#nodeItem(line);
    const name = line;
    const { host, folder } = this.#clusters.entry(name);
    const status = this.#clusters.statusOf(name);
    const { icon, color, word, context } = this.#describe(name, status);
    const hasNodes = this.#list(name).length > 0;
    const item = new vscode.TreeItem(name, vscode.TreeItemCollapsibleState[hasNodes ? 'Collapsed' : 'None']);
    item.id = name;
    item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
    const isDefault = loadDefaultCluster() === name && this.#clusters.entries.length > 1;
    item.description = [host === name ? '' : host, word, isDefault ? 'default' : ''].filter(Boolean).join(' · ');
    item.contextValue = `cluster.${context}`;
    item.tooltip = this.#tooltip(name, host, folder, status);
    item.accessibilityInformation = { label: `Cluster ${name}, ${word}` };
    return item;
  }

  /** That images can't be run is said before anybody tries to. */
  #describe(name: string, status: ClusterStatus): ReturnType<typeof describeStatus> {
    const known = describeStatus(status);
    const login = this.#clusters.find(name)?.helper.hello.hostname;
    const node = this.#list(name).find(each => each.hostname === login && each.job === undefined);
    if (!node || node.best !== undefined) return known;
    const word = `${known.word}, ${describeEngine(undefined)}`;
    return { ...known, icon: 'warning', color: 'list.warningForeground', word };
  }

  /** What was known of a cluster before the connection was lost is of yesterday. */
  #list(name: string): readonly NodeReport[] {
    return this.#clusters.statusOf(name).kind === 'on' ? this.#nodes.list(name) : [];
  }

  #nodeItem({ cluster, node, finding }: Exclude<Line, string>): vscode.TreeItem {
    const login = this.#clusters.find(cluster)?.helper.hello.hostname ?? '';
    const look = finding ? describeFinding(finding) : describeNode(node, login, Date.now());
    const id = [cluster, node.hostname, node.tested, ...(finding ? [finding.what] : [])].join('\n');
    const item = toItem(look, id, !finding);
    item.tooltip = finding
      ? `${finding.what}: ${finding.message}`
      : `Holds for all nodes ${node.className} with the same settings.\n\n${node.engines.map(each => each.message).join('\n\n')}`;
    return item;
  }

  #tooltip(name: string, host: string, folder: string | undefined, status: ClusterStatus): vscode.MarkdownString {
    const lines = [`**${name}** — ssh ${host}`];
    const cluster = this.#clusters.find(name);
    if (cluster) {
      const { hello } = cluster.helper;
      lines.push(`${hello.user} on ${hello.hostname}`, `Helper ${hello.version} in ${hello.home}`);
    } else if (folder) lines.push(`Folder: ${folder}`);
    if (status.kind === 'lost') lines.push(status.reason.message);
    return new vscode.MarkdownString(lines.join('\n\n'));
  }
}

function toItem(look: Look, id: string, hasChildren: boolean): vscode.TreeItem {
  const item = new vscode.TreeItem(look.label, vscode.TreeItemCollapsibleState[hasChildren ? 'Collapsed' : 'None']);
  item.id = id;
  item.iconPath = new vscode.ThemeIcon(look.icon, look.color ? new vscode.ThemeColor(look.color) : undefined);
  item.description = look.description;
  item.contextValue = look.context;
  item.accessibilityInformation = { label: `${look.label}, ${look.description}` };
  return item;
}

function describeStatus(status: ClusterStatus): { icon: string; color?: string; word: string; context: string } {
  switch (status.kind) {
    case 'on':
      return { icon: 'vm-active', color: 'testing.iconPassed', word: 'connected', context: 'on' };
    case 'busy':
      return { icon: 'loading~spin', word: formatProgress(status.progress) ?? `${status.what}…`, context: 'busy' };
    case 'lost': {
      const word = status.isRetrying ? 'connection lost, trying again' : 'connection lost';
      return { icon: 'warning', color: 'list.warningForeground', word, context: 'lost' };
    }
    default:
      return { icon: 'vm-outline', word: 'not connected', context: 'off' };
  }
}
