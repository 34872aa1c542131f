import * as vscode from 'vscode';
import type { ProcessEntry } from '#protocol/language.ts';
import type { Clusters } from './clusters.ts';
import type { InputsChoice } from './inputs-choice.ts';
import type { LanguageServer } from './language-server.ts';
import { loadDefaultCluster } from './settings.ts';

/** *Run on CLUSTER* above each process. */
export class RunLens implements vscode.CodeLensProvider {
  readonly #server: LanguageServer;
  readonly #inputs: InputsChoice;
  readonly onDidChangeCodeLenses: vscode.Event<void>;

  constructor(context: vscode.ExtensionContext, server: LanguageServer, clusters: Clusters, inputs: InputsChoice) {
    this.#server = server;
    this.#inputs = inputs;
    const changed = new vscode.EventEmitter<void>();
    this.onDidChangeCodeLenses = changed.event;
    context.subscriptions.push(
      changed,
      // The names of clusters stand in the lenses, not their states.
      clusters.onDidChange(name => name === undefined && changed.fire()),
      inputs.onDidChange(() => changed.fire()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => changed.fire()),
      vscode.languages.registerCodeLensProvider({ language: 'cwl' }, this),
    );
  }

  async provideCodeLenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    if (!vscode.workspace.isTrusted) return [];
    const processes = await this.#server.listProcesses(document.uri);
    return processes.flatMap(process => this.#lensesOf(document, process));
  }

  #lensesOf(document: vscode.TextDocument, process: ProcessEntry): vscode.CodeLens[] {
    const { start } = process.range;
    const range = new vscode.Range(start.line, start.character, start.line, start.character);
    const key = { uri: document.uri, id: process.id };
    const cluster = loadDefaultCluster();
    const inputs = this.#inputs.findLast(key);
    const suffix = inputs ? ` with ${inputs.path.split('/').pop()}` : '';
    const run = {
      title: `$(play) Run on ${cluster ?? 'Cluster…'}${suffix}`,
      tooltip: `Run ${process.name} on ${cluster ?? 'a cluster'}`,
      command: 'cwl.run',
      arguments: [document.uri, process.id],
    };
    const choose = {
      ...run,
      title: 'Choose Inputs…',
      tooltip: 'Run with another inputs file',
      command: 'cwl.runWithInputs',
    };
    return [new vscode.CodeLens(range, run), new vscode.CodeLens(range, choose)];
  }
}
