import * as vscode from 'vscode';
import { toClusterUri } from './cluster-uri.ts';
import type { Clusters } from './clusters.ts';
import type { OutputEntry } from './output-tree.ts';
import {
  describeRun,
  describeStep,
  describeTask,
  isActive,
  type Look,
  listNodeChildren,
  listRunChildren,
  type RunNode,
  shortenPaths,
} from './run-tree.ts';
import type { RunKey, Runs } from './runs.ts';

/** A line of the view, and the run that it belongs to: what commands of its menu are given. */
export interface RunLine {
  key: RunKey;
  node: RunNode;
  parent?: RunLine;
}

/** Milliseconds between updates of one run: events may come by the hundred. */
const updateInterval = 200;
/** Milliseconds between updates of the times of what is running. */
const clockInterval = 2000;

/** The view *Runs*. */
export class RunsView implements vscode.TreeDataProvider<RunLine> {
  readonly #clusters: Clusters;
  readonly #runs: Runs;
  readonly #changed = new vscode.EventEmitter<RunLine | undefined>();
  readonly #view: vscode.TreeView<RunLine>;
  /** The same object for the same run, so that the editor can tell which line changed. */
  readonly #roots = new Map<string, RunLine>();
  /** Runs that were shown because they had just been started: they do not close when they end. */
  readonly #shown = new Set<string>();
  readonly #pending = new Set<string>();
  #isListPending = false;
  #timer: NodeJS.Timeout | undefined;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(context: vscode.ExtensionContext, clusters: Clusters, runs: Runs) {
    this.#clusters = clusters;
    this.#runs = runs;
    this.#view = vscode.window.createTreeView('cwl.runs', { treeDataProvider: this, showCollapseAll: true });
    const clock = setInterval(() => this.#tick(), clockInterval);
    context.subscriptions.push(
      this.#view,
      this.#changed,
      { dispose: () => clearInterval(clock) },
      { dispose: () => clearTimeout(this.#timer) },
      runs.onDidChange(key => this.#update(key)),
    );
  }

  /** Shows the line of a run; the editor refuses while it is just reading the tree anew. */
  async reveal(key: RunKey): Promise<void> {
    this.#shown.add(`${key.cluster}/${key.id}`);
    for (let tries = 0; tries < 5 && this.#runs.find(key); tries++) {
      try {
        await this.#view.reveal(this.#root(key), { expand: true, select: true, focus: false });
        return;
      } catch {
        await new Promise(resolve => setTimeout(resolve, 2 * updateInterval));
      }
    }
  }

  async getChildren(line?: RunLine): Promise<RunLine[]> {
    if (!line) return this.#runs.list().map(key => this.#root(key));
    const { key, node } = line;
    if (node.kind !== 'run') return listNodeChildren(node).map(child => ({ key, node: child, parent: line }));
    if (this.#runs.isStale(key.cluster) && !('taskList' in (this.#runs.find(key) ?? {}))) {
      return [
        { key, parent: line, node: { kind: 'note', text: `Connect to ${key.cluster} to see more.`, isFailure: false } },
      ];
    }
    const detail = await this.#runs.loadDetail(key);
    return listRunChildren(detail).map(child => ({ key, node: child, parent: line }));
  }

  getParent(line: RunLine): RunLine | undefined {
    return line.parent;
  }

  getTreeItem({ key, node }: RunLine): vscode.TreeItem {
    const now = Date.now();
    const path = `${key.cluster}/${key.id}`;
    switch (node.kind) {
      case 'run': {
        const run = this.#runs.find(key) ?? node.run;
        const look = describeRun(run, now, this.#runs.isStale(key.cluster));
        const isOnlyCluster = this.#clusters.entries.length === 1;
        if (!isOnlyCluster) look.description = `${look.description} · ${key.cluster}`;
        const isOpen = isActive(run) || this.#shown.has(path);
        const state = isOpen ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed;
        const item = toItem(look, path, state);
        const tooltip = [
          `**${run.label}** on ${key.cluster}`,
          run.message ? shortenPaths(run, run.message) : '',
          `Started ${new Date(run.started).toLocaleString()}${run.hostname ? ` on ${run.hostname}` : ''}`,
          run.engine ? `Images run with ${[run.engine.name, run.engine.why].filter(Boolean).join(': ')}` : '',
        ];
        item.tooltip = new vscode.MarkdownString(
          [...tooltip, `Outputs: \`${run.outdir}\``].filter(Boolean).join('\n\n'),
        );
        return item;
      }
      case 'step':
        return toItem(describeStep(node), `${path}/step/${node.id}`, vscode.TreeItemCollapsibleState.Expanded);
      case 'task': {
        const { task } = node;
        const item = toItem(describeTask(task, node.isAlone, now), `${path}/task/${task.id}`);
        const facts = [
          task.image && `Image: ${task.image}`,
          task.engine && `Engine: ${task.engine}`,
          task.gpus && `GPUs: ${task.gpus.join(', ')}`,
          task.message,
        ];
        const command = task.commandLine ? `\n\n\`\`\`sh\n${task.commandLine}\n\`\`\`` : '';
        item.tooltip = new vscode.MarkdownString(`**${task.id}**\n\n${facts.filter(Boolean).join('\n\n')}${command}`);
        item.command = { command: 'cwl.showLog', title: 'Show Log', arguments: [{ key, node }] };
        return item;
      }
      case 'lock': {
        const { mountPoint, fileSystem, message } = node.finding;
        const look = {
          label: `Locks on ${mountPoint}`,
          icon: 'warning',
          color: 'list.warningForeground',
          context: 'lock',
        };
        const item = toItem({ ...look, description: fileSystem }, `${path}/lock/${node.finding.path}`);
        item.tooltip = message;
        item.command = { command: 'cwl.explainLock', title: 'Explain', arguments: [node.finding] };
        return item;
      }
      case 'note': {
        const [first = ''] = node.text.split('\n');
        const icon = node.isFailure ? { icon: 'error', color: 'testing.iconFailed' } : { icon: 'info' };
        const item = toItem({ label: first, ...icon, description: '', context: 'note' }, `${path}/note`);
        item.tooltip = node.text;
        return item;
      }
      case 'outputs': {
        const look = { label: 'Outputs', icon: 'output', description: '', context: 'outputs' };
        return toItem(look, `${path}/outputs`, vscode.TreeItemCollapsibleState.Expanded);
      }
      case 'output':
        return outputItem(key, node.entry);
    }
  }

  #root(key: RunKey): RunLine {
    const name = `${key.cluster}/${key.id}`;
    const known = this.#roots.get(name);
    if (known) return known;
    const run = this.#runs.find(key);
    if (!run) throw new Error(`no run ${name}`);
    const line: RunLine = { key: { cluster: key.cluster, id: key.id }, node: { kind: 'run', run } };
    this.#roots.set(name, line);
    return line;
  }

  #update(key: RunKey | undefined): void {
    if (key) this.#pending.add(`${key.cluster}/${key.id}`);
    else this.#isListPending = true;
    this.#timer ??= setTimeout(() => this.#flush(), updateInterval);
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#isListPending) this.#changed.fire(undefined);
    else {
      for (const name of this.#pending) {
        const line = this.#roots.get(name);
        if (line) this.#changed.fire(line);
      }
    }
    this.#isListPending = false;
    this.#pending.clear();
  }

  /** Times of what is running go on while somebody looks. */
  #tick(): void {
    if (!this.#view.visible) return;
    for (const { cluster, id, run } of this.#runs.list()) {
      if (isActive(run) && !this.#runs.isStale(cluster)) this.#update({ cluster, id });
    }
  }
}

function toItem(look: Look, id: string, state = vscode.TreeItemCollapsibleState.None): vscode.TreeItem {
  const item = new vscode.TreeItem(look.label, state);
  item.id = id;
  item.iconPath = new vscode.ThemeIcon(look.icon, look.color ? new vscode.ThemeColor(look.color) : undefined);
  item.description = look.description;
  item.contextValue = look.context;
  item.accessibilityInformation = { label: [look.label, look.description].filter(Boolean).join(', ') };
  return item;
}

function outputItem(key: RunKey, entry: OutputEntry): vscode.TreeItem {
  const state = entry.children ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None;
  const item = new vscode.TreeItem(entry.name, state);
  item.description = entry.description;
  item.contextValue = `output.${entry.kind}`;
  if (entry.path === undefined) {
    item.iconPath = new vscode.ThemeIcon(entry.kind === 'group' ? 'symbol-array' : 'symbol-constant');
    return item;
  }
  // The icon theme goes by the name of the file.
  item.resourceUri = toClusterUri(key.cluster, entry.path);
  item.iconPath = entry.kind === 'directory' ? vscode.ThemeIcon.Folder : vscode.ThemeIcon.File;
  item.tooltip = entry.path;
  if (entry.kind === 'file') {
    item.command = { command: 'cwl.openOutput', title: 'Open', arguments: [{ key, node: { kind: 'output', entry } }] };
  }
  return item;
}
