/** Puts together what the user sees. */
import * as vscode from 'vscode';
import { ClusterChoice } from './cluster-choice.ts';
import { ClusterCommands } from './cluster-commands.ts';
import { ClusterFiles } from './cluster-files.ts';
import { Clusters } from './clusters.ts';
import { ClustersView } from './clusters-view.ts';
import { DocumentCommands } from './document-commands.ts';
import { InputsChoice } from './inputs-choice.ts';
import { LanguageServer } from './language-server.ts';
import { LockWarnings } from './lock-warnings.ts';
import { LogDocuments } from './log-documents.ts';
import { Messages } from './messages.ts';
import { Nodes } from './nodes.ts';
import { OutputCommands } from './output-commands.ts';
import { RunCommands } from './run-commands.ts';
import { RunLens } from './run-lens.ts';
import { Runs } from './runs.ts';
import { RunsView } from './runs-view.ts';
import { Secrets } from './secrets.ts';
import { RunStarter } from './start-run.ts';
import { connectOnStartup } from './startup.ts';
import { TextDocuments } from './text-documents.ts';

export function activate(context: vscode.ExtensionContext): void {
  const messages = new Messages();
  context.subscriptions.push(messages);
  const secrets = new Secrets(context);
  const clusters = new Clusters(context, messages, secrets);
  const choice = new ClusterChoice(clusters);
  const runs = new Runs(context, clusters, messages);
  const locks = new LockWarnings(context, runs);
  const logs = new LogDocuments(context, clusters, runs, messages);
  const view = new RunsView(context, clusters, runs);
  const texts = new TextDocuments(context);
  const server = new LanguageServer(context, messages);
  const inputs = new InputsChoice(context, server);
  const starter = new RunStarter(context, { clusters, choice, inputs, server, locks, runs, view, messages });
  const nodes = new Nodes(context, clusters, runs, messages);
  new ClustersView(context, clusters, nodes);
  new ClusterFiles(context, clusters);
  new RunLens(context, server, clusters, inputs);
  new ClusterCommands(context, { clusters, choice, nodes, runs, secrets, texts, messages });
  new RunCommands(context, { clusters, runs, logs, view, messages });
  new OutputCommands(context, { clusters, runs, texts, messages });
  new DocumentCommands(context, { server, inputs, starter, messages });

  const start = () => void connectOnStartup(clusters, runs, messages);
  context.subscriptions.push(vscode.workspace.onDidGrantWorkspaceTrust(start));
  start();
}
