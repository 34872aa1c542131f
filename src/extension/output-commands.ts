import * as vscode from 'vscode';
import { Failure } from '#base/failure.ts';
import type { Cluster } from '#remote/cluster.ts';
import { downloadFile } from '#remote/download.ts';
import { withProgress } from './cancellation.ts';
import { toClusterUri } from './cluster-uri.ts';
import type { Clusters } from './clusters.ts';
import { formatProgress, toPercent } from './format.ts';
import type { Messages } from './messages.ts';
import { listOutputs, type OutputEntry } from './output-tree.ts';
import type { RunKey, Runs } from './runs.ts';
import type { RunLine } from './runs-view.ts';
import type { TextDocuments } from './text-documents.ts';

/** Commands on outputs: open them in the editor, or save them on this machine. */
export class OutputCommands {
  readonly #clusters: Clusters;
  readonly #runs: Runs;
  readonly #texts: TextDocuments;

  constructor(
    context: vscode.ExtensionContext,
    parts: { clusters: Clusters; runs: Runs; texts: TextDocuments; messages: Messages },
  ) {
    this.#clusters = parts.clusters;
    this.#runs = parts.runs;
    this.#texts = parts.texts;
    const commands: Record<string, (line?: RunLine) => unknown> = {
      openOutput: line => this.#open(line),
      downloadOutput: line => this.#download(line),
      showOutputObject: line => this.#showObject(line),
    };
    for (const [name, handler] of Object.entries(commands)) {
      context.subscriptions.push(vscode.commands.registerCommand(`cwl.${name}`, parts.messages.guard(handler)));
    }
  }

  async #open(line: RunLine | undefined): Promise<void> {
    const found = await this.#take(line, 'Open which output?');
    if (!found) return;
    // Whatever the editor has for such a file: text, image preview, an editor of another extension.
    await this.#clusters.connect(found.key.cluster);
    await vscode.commands.executeCommand('vscode.open', toClusterUri(found.key.cluster, found.path));
  }

  async #download(line: RunLine | undefined): Promise<void> {
    const found = await this.#take(line, 'Download which output?');
    if (!found) return;
    const { key, path, entry } = found;
    const name = path.split('/').pop() ?? 'output';
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(process.env.HOME ?? '/');
    const target = await vscode.window.showSaveDialog({
      defaultUri: vscode.Uri.joinPath(folder, name),
      title: `Save ${name}`,
    });
    if (!target) return;
    if (target.scheme !== 'file') throw new Failure('extension/no-file', `${target} is not a file on this machine`);
    const cluster = await this.#clusters.connect(key.cluster);
    await withProgress(`Downloading ${name}`, (tell, signal) =>
      entry.kind === 'directory'
        ? downloadFolder(cluster, toClusterUri(key.cluster, path), target, tell, signal)
        : downloadFile(cluster, path, target.fsPath, {
            checksum: entry.checksum,
            signal,
            onProgress: progress => tell(formatProgress({ ...progress, what: '' })?.trim() ?? '', toPercent(progress)),
          }),
    );
    const chosen = await vscode.window.showInformationMessage(`${name} was saved to ${target.fsPath}.`, 'Open');
    if (chosen !== undefined) await vscode.commands.executeCommand('vscode.open', target);
  }

  async #showObject(line: RunLine | undefined): Promise<void> {
    if (line?.node.kind !== 'outputs') return;
    const content = `${JSON.stringify(line.node.outputs, undefined, 2)}\n`;
    await this.#texts.show(`${this.#runs.find(line.key)?.label ?? line.key.id} outputs.json`, content);
  }

  async #take(
    line: RunLine | undefined,
    placeHolder: string,
  ): Promise<{ key: RunKey; path: string; entry: OutputEntry } | undefined> {
    if (line?.node.kind === 'output') {
      const { entry } = line.node;
      if (entry.path === undefined)
        throw new Failure('extension/no-file', `${entry.name} is not a file on the cluster`);
      return { key: line.key, path: entry.path, entry };
    }
    const items: (vscode.QuickPickItem & { key: RunKey; path: string; entry: OutputEntry })[] = [];
    for (const { cluster, id, run } of this.#runs.list()) {
      if (run.state !== 'success') continue;
      const key = { cluster, id };
      const { outputs = {} } = await this.#runs.loadDetail(key);
      for (const entry of listAll(listOutputs(outputs))) {
        if (entry.path === undefined) continue;
        items.push({
          label: entry.name,
          description: `${entry.description} · ${run.label}`,
          key,
          path: entry.path,
          entry,
        });
      }
    }
    if (items.length === 0) throw new Failure('extension/no-output', 'there are no outputs yet');
    return vscode.window.showQuickPick(items, { title: 'Outputs', placeHolder });
  }
}

function listAll(entries: OutputEntry[]): OutputEntry[] {
  return entries.flatMap(entry => [entry, ...listAll(entry.children ?? [])]);
}

async function downloadFolder(
  cluster: Cluster,
  from: vscode.Uri,
  to: vscode.Uri,
  tell: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  await vscode.workspace.fs.createDirectory(to);
  for (const [name, type] of await vscode.workspace.fs.readDirectory(from)) {
    signal.throwIfAborted();
    const [source, target] = [vscode.Uri.joinPath(from, name), vscode.Uri.joinPath(to, name)];
    if (type & vscode.FileType.Directory) await downloadFolder(cluster, source, target, tell, signal);
    else {
      tell(name);
      await downloadFile(cluster, source.path, target.fsPath, { signal });
    }
  }
}
