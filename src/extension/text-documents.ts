import * as vscode from 'vscode';

const scheme = 'cwl-text';

/** Texts to be read: nobody is asked whether to save them. */
export class TextDocuments implements vscode.TextDocumentContentProvider {
  readonly #texts = new Map<string, string>();

  constructor(context: vscode.ExtensionContext) {
    context.subscriptions.push(
      vscode.workspace.registerTextDocumentContentProvider(scheme, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#texts.delete(uri.toString())),
    );
  }

  /** `name` is the title of the editor; its extension says which language it is in. */
  async show(name: string, text: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme, path: `/${name}`, query: String(Date.now()) });
    this.#texts.set(uri.toString(), text);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.toString()) ?? '(Ask for it again: it was not kept.)';
  }
}
