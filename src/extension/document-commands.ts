import * as vscode from 'vscode';
import { Failure } from '#base/failure.ts';
import type { InputsChoice } from './inputs-choice.ts';
import type { LanguageServer, ProcessKey } from './language-server.ts';
import type { Messages } from './messages.ts';
import type { RunStarter } from './start-run.ts';

/** Commands on the document that is open, or on the one that a lens or the explorer hands over. */
export class DocumentCommands {
  readonly #server: LanguageServer;

  constructor(
    context: vscode.ExtensionContext,
    parts: { server: LanguageServer; inputs: InputsChoice; starter: RunStarter; messages: Messages },
  ) {
    this.#server = parts.server;
    const commands: Record<string, (uri?: vscode.Uri, id?: string) => unknown> = {
      run: (uri, id) => this.#with(uri, id, key => parts.starter.run(key, false)),
      runWithInputs: (uri, id) => this.#with(uri, id, key => parts.starter.run(key, true)),
      createInputs: (uri, id) => this.#with(uri, id, key => parts.inputs.makeFile(key)),
      validate: uri => this.#validate(takeUri(uri)),
    };
    for (const [name, handler] of Object.entries(commands)) {
      context.subscriptions.push(vscode.commands.registerCommand(`cwl.${name}`, parts.messages.guard(handler)));
    }
  }

  async #with(given: unknown, id: unknown, work: (key: ProcessKey) => Promise<void>): Promise<void> {
    const uri = takeUri(given);
    // Menus hand over things of their own after the URI.
    if (given instanceof vscode.Uri && typeof id === 'string') return work({ uri, id });
    await vscode.workspace.openTextDocument(uri);
    const processes = await this.#server.listProcesses(uri);
    if (processes.length === 0) {
      throw new Failure('extension/no-process', `there is no process in ${vscode.workspace.asRelativePath(uri)}`, {
        hint: 'See the problems of the document.',
      });
    }
    if (processes.length === 1) return work({ uri, id: processes[0]?.id });
    const items = processes.map(process => ({ label: process.name, description: process.class, process }));
    const chosen = await vscode.window.showQuickPick(items, { title: 'Process', placeHolder: 'Which process?' });
    if (chosen) await work({ uri, id: chosen.process.id });
  }

  async #validate(uri: vscode.Uri): Promise<void> {
    const { problems } = await this.#server.findDependencies({ uri }, undefined);
    const errors = problems.filter(problem => problem.severity === 'error').length;
    const name = vscode.workspace.asRelativePath(uri);
    if (errors === 0) {
      await vscode.window.showInformationMessage(`${name} is valid.`);
      return;
    }
    await vscode.commands.executeCommand('workbench.actions.view.problems');
    await vscode.window.showErrorMessage(`${name} has ${errors === 1 ? 'one error' : `${errors} errors`}.`);
  }
}

function takeUri(given: unknown): vscode.Uri {
  if (given instanceof vscode.Uri) return given;
  const document = vscode.window.activeTextEditor?.document;
  if (document?.languageId === 'cwl') return document.uri;
  throw new Failure('extension/no-document', 'no CWL document is open', { hint: 'Open a .cwl file first.' });
}
