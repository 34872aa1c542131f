import * as vscode from 'vscode';
import type { LanguageServer, ProcessKey } from './language-server.ts';

const memoryKey = 'cwl.inputs';

/** `none`: the process runs without an input object; `made`: a file was made from a template, to be filled in first. */
export type Choice = { kind: 'file'; uri: vscode.Uri } | { kind: 'none' } | { kind: 'made' };

/** Which file holds the inputs of a process: asked once, and remembered for the workspace. */
export class InputsChoice {
  readonly #memory: vscode.Memento;
  readonly #server: LanguageServer;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;

  constructor(context: vscode.ExtensionContext, server: LanguageServer) {
    this.#memory = context.workspaceState;
    this.#server = server;
    context.subscriptions.push(this.#changed);
  }

  findLast(key: ProcessKey): vscode.Uri | undefined {
    const text = this.#memory.get<Record<string, string>>(memoryKey, {})[nameOf(key)];
    return text === undefined ? undefined : vscode.Uri.parse(text, true);
  }

  /** Asks, beginning with the last choice; undefined: the user gave up. */
  async choose(key: ProcessKey): Promise<Choice | undefined> {
    const chosen = await vscode.window.showQuickPick(this.#listItems(key), {
      title: 'Inputs',
      placeHolder: 'The file with the inputs (YAML or JSON)',
      matchOnDescription: true,
    });
    switch (chosen?.does) {
      case 'take':
        return chosen.uri && this.remember(key, chosen.uri);
      case 'browse': {
        const filters = { 'Input object': ['yml', 'yaml', 'json'], All: ['*'] };
        const folder = vscode.Uri.joinPath(key.uri, '..');
        const [uri] = (await vscode.window.showOpenDialog({ defaultUri: folder, filters, title: 'Inputs' })) ?? [];
        return uri && this.remember(key, uri);
      }
      case 'make':
        await this.makeFile(key);
        return { kind: 'made' };
      case 'none':
        return { kind: 'none' };
      default:
        return undefined;
    }
  }

  /** Opens an unsaved document with the template; the file that it is saved to is remembered. */
  async makeFile(key: ProcessKey): Promise<void> {
    const text = await this.#server.makeTemplate(key);
    const uri = await findFreeName(key);
    const edit = new vscode.WorkspaceEdit();
    edit.createFile(uri, { contents: new TextEncoder().encode(text) });
    await vscode.workspace.applyEdit(edit);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), vscode.ViewColumn.Beside);
    this.remember(key, uri);
  }

  remember(key: ProcessKey, uri: vscode.Uri): Choice {
    const all = this.#memory.get<Record<string, string>>(memoryKey, {});
    void this.#memory.update(memoryKey, { ...all, [nameOf(key)]: uri.toString() });
    this.#changed.fire();
    return { kind: 'file', uri };
  }

  async #listItems(key: ProcessKey): Promise<Item[]> {
    const folder = vscode.Uri.joinPath(key.uri, '..');
    const last = this.findLast(key);
    const entries = await vscode.workspace.fs.readDirectory(folder).then(undefined, () => []);
    const files = entries
      .filter(([name, type]) => (type & vscode.FileType.File) !== 0 && /\.(ya?ml|json)$/i.test(name))
      .map(([name]) => vscode.Uri.joinPath(folder, name))
      .filter(uri => uri.toString() !== last?.toString());
    const toItem = (uri: vscode.Uri, description: string): Item => ({
      label: uri.path.split('/').pop() ?? uri.path,
      description,
      iconPath: new vscode.ThemeIcon('file'),
      does: 'take',
      uri,
    });
    return [
      ...(last ? [toItem(last, 'used last')] : []),
      ...files.map(uri => toItem(uri, '')),
      { label: 'More', kind: vscode.QuickPickItemKind.Separator, does: 'none' },
      { label: 'Make a file from a template', iconPath: new vscode.ThemeIcon('new-file'), does: 'make' },
      { label: 'Choose another file…', iconPath: new vscode.ThemeIcon('folder-opened'), does: 'browse' },
      { label: 'Run without inputs', iconPath: new vscode.ThemeIcon('circle-slash'), does: 'none' },
    ];
  }
}

interface Item extends vscode.QuickPickItem {
  does: 'take' | 'browse' | 'make' | 'none';
  uri?: vscode.Uri;
}

function nameOf({ uri, id }: ProcessKey): string {
  return id === undefined ? uri.toString() : `${uri}#${id}`;
}

/** `sort.cwl` → `sort-inputs.yml`, or `sort-inputs-2.yml` where that is taken. */
async function findFreeName({ uri, id }: ProcessKey): Promise<vscode.Uri> {
  const stem = (uri.path.split('/').pop() ?? 'process').replace(/\.[^.]*$/, '');
  const part = id === undefined || id === 'main' ? '' : `-${id.replace(/[^\w.-]+/g, '-')}`;
  for (let count = 1; ; count++) {
    const name = `${stem}${part}-inputs${count === 1 ? '' : `-${count}`}.yml`;
    const candidate = vscode.Uri.joinPath(uri, '..', name);
    const isTaken = await vscode.workspace.fs.stat(candidate).then(
      () => true,
      () => false,
    );
    if (!isTaken) return candidate;
  }
}
