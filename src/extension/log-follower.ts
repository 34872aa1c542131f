import * as vscode from 'vscode';

/** Keeps the end of growing documents in sight, until the user scrolls up; scrolling to the end follows again. */
export class LogFollower {
  readonly #subscriptions: vscode.Disposable[];
  /** Editors that were scrolled away from the end. */
  readonly #resting = new WeakSet<vscode.TextEditor>();
  readonly #lastEnds = new WeakMap<vscode.TextEditor, number>();

  constructor(scheme: string) {
    const isLog = (document: vscode.TextDocument) => document.uri.scheme === scheme;
    this.#subscriptions = [
      vscode.window.onDidChangeTextEditorVisibleRanges(event => {
        if (isLog(event.textEditor.document)) this.#notice(event.textEditor);
      }),
      vscode.workspace.onDidChangeTextDocument(event => {
        if (isLog(event.document)) this.#follow(event.document);
      }),
      vscode.window.onDidChangeVisibleTextEditors(editors => {
        for (const editor of editors) if (isLog(editor.document) && !this.#lastEnds.has(editor)) revealEnd(editor);
      }),
    ];
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #notice(editor: vscode.TextEditor): void {
    const end = editor.visibleRanges.at(-1)?.end.line ?? 0;
    const before = this.#lastEnds.get(editor);
    this.#lastEnds.set(editor, end);
    // New lines move the end of the document away, not what is seen; only a person moves that up.
    if (end >= editor.document.lineCount - 2) this.#resting.delete(editor);
    else if (before !== undefined && end < before) this.#resting.add(editor);
  }

  #follow(document: vscode.TextDocument): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document === document && !this.#resting.has(editor)) revealEnd(editor);
    }
  }
}

function revealEnd(editor: vscode.TextEditor): void {
  const end = new vscode.Position(Math.max(0, editor.document.lineCount - 1), 0);
  editor.revealRange(new vscode.Range(end, end), vscode.TextEditorRevealType.Default);
}
