import * as vscode from 'vscode';
import type { ClusterStatus, Clusters } from './clusters.ts';
import { formatProgress } from './format.ts';
import { loadDefaultCluster } from './settings.ts';

/** The view *Clusters*: one line for each cluster of the settings. */
export class ClustersView implements vscode.TreeDataProvider<string> {
  readonly #clusters: Clusters;
  readonly onDidChangeTreeData: vscode.Event<undefined>;

  constructor(context: vscode.ExtensionContext, clusters: Clusters) {
    this.#clusters = clusters;
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
      vscode.window.registerTreeDataProvider('cwl.clusters', this),
    );
  }

  getChildren(parent?: string): string[] {
    return parent === undefined ? this.#clusters.entries.map(each => each.name) : [];
  }

  getTreeItem(name: string): vscode.TreeItem {
    const { host, folder } = this.#clusters.entry(name);
    const status = this.#clusters.statusOf(name);
    const { icon, color, word, context } = describeStatus(status);
    const item = new vscode.TreeItem(name);
    item.id = name;
    item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
    const isDefault = loadDefaultCluster() === name && this.#clusters.entries.length > 1;
    item.description = [host === name ? '' : host, word, isDefault ? 'default' : ''].filter(Boolean).join(' · ');
    item.contextValue = `cluster.${context}`;
    item.tooltip = this.#tooltip(name, host, folder, status);
    item.accessibilityInformation = { label: `Cluster ${name}, ${word}` };
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
