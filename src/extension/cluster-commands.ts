import * as vscode from 'vscode';
import { uninstall } from '#remote/uninstall.ts';
import { withProgress } from './cancellation.ts';
import type { ClusterChoice } from './cluster-choice.ts';
import type { Clusters } from './clusters.ts';
import { formatProgress, formatSize, toPercent } from './format.ts';
import { secretPrefix } from './host-prompts.ts';
import type { Messages } from './messages.ts';
import type { Nodes } from './nodes.ts';
import type { Runs } from './runs.ts';
import type { Secrets } from './secrets.ts';
import { saveDefaultCluster } from './settings.ts';
import type { TextDocuments } from './text-documents.ts';

/** Commands on clusters; without a line of the view *Clusters* they ask which. */
export class ClusterCommands {
  readonly #clusters: Clusters;
  readonly #choice: ClusterChoice;
  readonly #nodes: Nodes;
  readonly #runs: Runs;
  readonly #secrets: Secrets;
  readonly #texts: TextDocuments;
  readonly #messages: Messages;

  constructor(
    context: vscode.ExtensionContext,
    parts: {
      clusters: Clusters;
      choice: ClusterChoice;
      nodes: Nodes;
      runs: Runs;
      secrets: Secrets;
      texts: TextDocuments;
      messages: Messages;
    },
  ) {
    this.#clusters = parts.clusters;
    this.#choice = parts.choice;
    this.#nodes = parts.nodes;
    this.#runs = parts.runs;
    this.#secrets = parts.secrets;
    this.#texts = parts.texts;
    this.#messages = parts.messages;
    const commands: Record<string, (name?: string) => unknown> = {
      addCluster: () => this.#add(),
      chooseCluster: name => this.#choose(name),
      connect: name => this.#with(name, each => this.#connect(each)),
      disconnect: name => this.#with(name, each => this.#clusters.disconnect(each)),
      testNode: name => this.#with(name, each => this.#testNode(each)),
      reinstallHelper: name => this.#with(name, each => this.#reinstall(each)),
      removeHelper: name => this.#with(name, each => this.#remove(each)),
      forgetSecrets: name => this.#with(name, each => this.#forget(each)),
      editCluster: () =>
        vscode.commands.executeCommand('workbench.action.openSettingsJson', {
          revealSetting: { key: 'cwl.clusters' },
        }),
      showMessages: () => this.#messages.log.show(),
    };
    for (const [name, handler] of Object.entries(commands)) {
      context.subscriptions.push(vscode.commands.registerCommand(`cwl.${name}`, parts.messages.guard(handler)));
    }
  }

  /** Menus hand over a line, the palette and key bindings nothing. */
  async #with(name: unknown, work: (name: string) => unknown): Promise<void> {
    const only = this.#clusters.entries.length === 1 ? this.#clusters.entries[0]?.name : undefined;
    const chosen = typeof name === 'string' ? name : (only ?? (await this.#choice.pick('Which cluster?')));
    if (chosen !== undefined) await work(chosen);
  }

  async #add(): Promise<void> {
    const name = await this.#choice.add();
    if (name !== undefined) await this.#connect(name);
  }

  async #choose(name: unknown): Promise<void> {
    if (typeof name === 'string') await saveDefaultCluster(name);
    else await this.#choice.choose();
  }

  async #connect(name: string): Promise<void> {
    await withProgress(`Connecting to ${name}`, (tell, signal) =>
      this.#clusters.connect(name, {
        signal,
        onInstall: progress =>
          tell(formatProgress(progress) ?? 'installing the helper', progress && toPercent(progress)),
      }),
    );
  }

  async #testNode(name: string): Promise<void> {
    await this.#connect(name);
    await this.#nodes.testAgain(name);
  }

  async #reinstall(name: string): Promise<void> {
    await withProgress(`Installing the helper on ${name} again`, async (tell, signal) => {
      const cluster = await this.#clusters.connect(name, { signal });
      await uninstall(cluster.connection, cluster.helper.hello.home, ['kit']);
      this.#clusters.disconnect(name);
      await this.#clusters.connect(name, {
        signal,
        onInstall: progress => tell(formatProgress(progress) ?? '', progress && toPercent(progress)),
      });
    });
    await vscode.window.showInformationMessage(`The helper on ${name} was installed again.`);
  }

  async #remove(name: string): Promise<void> {
    const cluster = await withProgress(`Connecting to ${name}`, (_, signal) =>
      this.#clusters.connect(name, { signal }),
    );
    const { home } = cluster.helper.hello;
    const choices = {
      'Remove Helper and Images': ['kit', 'images', 'sources'] as const,
      'Remove All, With Runs and Outputs': ['kit', 'images', 'sources', 'runs'] as const,
    };
    const chosen = await vscode.window.showWarningMessage(
      `Remove what was installed on ${name}?`,
      {
        modal: true,
        detail: `It lies in ${home}. Outputs of runs that were given no other folder are among the runs.`,
      },
      ...(Object.keys(choices) as (keyof typeof choices)[]),
    );
    if (chosen === undefined) return;
    const removed = await withProgress(
      `Removing from ${name}`,
      () => uninstall(cluster.connection, home, choices[chosen]),
      false,
    );
    this.#clusters.disconnect(name);
    if (chosen === 'Remove All, With Runs and Outputs') this.#runs.clear(name);
    const lines = removed.map(({ path, bytes }) => `${path}  (${formatSize(bytes)})`);
    const text = `Removed from ${name}:\n\n${lines.join('\n') || 'nothing: there was nothing left'}\n`;
    await this.#texts.show(`Removed from ${name}.txt`, text);
  }

  async #forget(name: string): Promise<void> {
    const count = await this.#secrets.forgetAll(secretPrefix(name));
    const text = count === 0 ? `No password of ${name} is saved.` : `${count} saved secrets of ${name} were deleted.`;
    await vscode.window.showInformationMessage(text);
  }
}
