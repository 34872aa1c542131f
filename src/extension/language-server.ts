import { join } from 'node:path';
import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import { Failure } from '#base/failure.ts';
import {
  checkInputs,
  findDependencies,
  listProcesses,
  makeInputsTemplate,
  type ProcessEntry,
  readFile,
} from '#protocol/language.ts';
import type { Messages } from './messages.ts';

/** A process in a document: the document's URI, and the fragment that picks it from a packed one. */
export interface ProcessKey {
  uri: vscode.Uri;
  id?: string;
}

/** The CWL language server, and the questions that the extension has for it. */
export class LanguageServer {
  readonly #client: LanguageClient;
  readonly #started: Promise<void>;

  constructor(context: vscode.ExtensionContext, messages: Messages) {
    const module = join(context.extensionPath, 'dist', 'language.cjs');
    const server = { module, transport: TransportKind.ipc };
    const outputChannel = messages.log;
    this.#client = new LanguageClient('cwl', 'CWL', server, {
      documentSelector: [{ language: 'cwl' }],
      outputChannel,
      markdown: { isTrusted: false },
    });
    this.#client.onRequest(readFile, async ({ uri }) => ({ text: await readText(vscode.Uri.parse(uri, true)) }));
    this.#started = this.#client.start();
    // Whoever asks it something is told; until then the log has it.
    this.#started.catch(error => messages.log.error(`the language server did not start: ${String(error)}`));
    context.subscriptions.push({ dispose: () => void this.#client.dispose().catch(() => {}) });
  }

  async listProcesses(uri: vscode.Uri): Promise<ProcessEntry[]> {
    await this.#started;
    return (await this.#client.sendRequest(listProcesses, { uri: uri.toString() })).processes;
  }

  /** Text of an input object to fill in. Throws a Failure where the document has errors. */
  async makeTemplate({ uri, id }: ProcessKey): Promise<string> {
    await this.#started;
    const { text, problems } = await this.#client.sendRequest(makeInputsTemplate, { uri: uri.toString(), id });
    if (text !== undefined) return text;
    const reason = problems.find(problem => problem.severity === 'error')?.message;
    throw new Failure(
      'extension/no-template',
      `there is no template of the inputs: ${reason ?? 'no process was found'}`,
    );
  }

  async findDependencies({ uri, id }: ProcessKey, inputs: vscode.Uri | undefined) {
    await this.#started;
    return this.#client.sendRequest(findDependencies, { uri: uri.toString(), id, inputs: inputs?.toString() });
  }

  async checkInputs({ uri, id }: ProcessKey, inputs: vscode.Uri) {
    await this.#started;
    return this.#client.sendRequest(checkInputs, { uri: uri.toString(), id, inputs: inputs.toString() });
  }
}

async function readText(uri: vscode.Uri): Promise<string> {
  const open = vscode.workspace.textDocuments.find(document => document.uri.toString() === uri.toString());
  if (open) return open.getText();
  if (/^https?$/.test(uri.scheme)) {
    const response = await fetch(uri.toString(true));
    if (!response.ok) throw new Error(`${uri.toString(true)}: the server answered ${response.status}`);
    return response.text();
  }
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
}
