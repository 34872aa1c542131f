/** The CWL language server: connects the features to the editor. It reads no file but through the editor. */

import {
  createConnection,
  DidChangeWatchedFilesNotification,
  type InitializeResult,
  ProposedFeatures,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { loadProcess } from '#cwl/load.ts';
import { offsetOf } from '#cwl/node.ts';
import { checkInputs, findDependencies, listProcesses, makeInputsTemplate, readFile } from '#protocol/language.ts';
import { listCompletions } from './completion.ts';
import { Debouncer } from './debouncer.ts';
import { findDefinition } from './definition.ts';
import { Diagnostics } from './diagnostics.ts';
import { findHover } from './hover.ts';
import { listEntries } from './processes.ts';
import { checkInputsOf, collectDependencies, makeTemplate } from './run-requests.ts';
import { listSymbols } from './symbols.ts';
import { Workspace } from './workspace.ts';

const connection = createConnection(ProposedFeatures.all);
const documents = new TextDocuments(TextDocument);
const workspace = new Workspace(async uri => (await connection.sendRequest(readFile, { uri })).text);
const diagnostics = new Diagnostics(workspace, (uri, found) => {
  void connection.sendDiagnostics({ uri, diagnostics: found });
});
/** Long enough not to check every letter, short enough to feel immediate. */
const debouncer = new Debouncer(250);

const initializeResult: InitializeResult = {
  capabilities: {
    textDocumentSync: TextDocumentSyncKind.Incremental,
    documentSymbolProvider: true,
    hoverProvider: true,
    definitionProvider: true,
    completionProvider: { triggerCharacters: [':', ' ', '/', '#'] },
  },
  serverInfo: { name: 'cwl' },
};
let canWatch = false;
connection.onInitialize(({ capabilities }) => {
  canWatch = capabilities.workspace?.didChangeWatchedFiles?.dynamicRegistration ?? false;
  return initializeResult;
});
connection.onInitialized(() => {
  const watchers = [{ globPattern: '**/*.{cwl,yml,yaml,json,js}' }];
  if (canWatch) void connection.client.register(DidChangeWatchedFilesNotification.type, { watchers });
});

documents.onDidChangeContent(({ document }) => {
  workspace.put({ uri: document.uri, version: document.version, text: document.getText() });
  for (const uri of [document.uri, ...diagnostics.dependents(document.uri)]) check(uri);
});
documents.onDidClose(({ document }) => {
  workspace.close(document.uri);
  debouncer.cancel(document.uri);
  diagnostics.remove(document.uri);
  for (const uri of diagnostics.dependents(document.uri)) check(uri);
});
connection.onDidChangeWatchedFiles(({ changes }) => {
  for (const { uri } of changes) {
    for (const dependent of diagnostics.dependents(uri)) check(dependent);
  }
});

connection.onDocumentSymbol(async ({ textDocument }) => {
  const root = await rootOf(textDocument.uri);
  return root ? listSymbols(root) : [];
});
connection.onHover(async ({ textDocument, position }) => {
  const root = await rootOf(textDocument.uri);
  return root ? findHover(root, offsetOf(root.source, position)) : null;
});
connection.onDefinition(async ({ textDocument, position }) => {
  const root = await rootOf(textDocument.uri);
  return root ? findDefinition(root, offsetOf(root.source, position), workspace) : null;
});
connection.onCompletion(async ({ textDocument, position }) => {
  const document = documents.get(textDocument.uri);
  if (!document) return [];
  const load = async (uri: string) => (await loadProcess(uri, { reader: workspace })).process;
  return listCompletions(document.uri, document.getText(), document.offsetAt(position), load);
});
connection.onRequest(listProcesses, async ({ uri }) => {
  const root = await rootOf(uri);
  return { processes: root ? listEntries(root) : [] };
});
connection.onRequest(makeInputsTemplate, request => makeTemplate(request, workspace));
connection.onRequest(findDependencies, request => collectDependencies(request, workspace));
connection.onRequest(checkInputs, request => checkInputsOf(request, workspace));

documents.listen(connection);
connection.listen();

function check(uri: string): void {
  const version = workspace.find(uri)?.version;
  if (version === undefined) return;
  // Input objects and other YAML may be open too; only CWL is checked as CWL.
  if (documents.get(uri)?.languageId !== 'cwl') return;
  debouncer.run(uri, () => {
    diagnostics
      .check(uri, () => workspace.find(uri)?.version !== version)
      .catch(error => {
        connection.console.error(`checking ${uri}: ${error instanceof Error ? error.stack : String(error)}`);
      });
  });
}

async function rootOf(uri: string) {
  const document = workspace.find(uri) ?? { uri, version: -1, text: await workspace.read(uri) };
  return (await workspace.parse(document)).root;
}
