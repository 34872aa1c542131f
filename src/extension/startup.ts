import * as vscode from 'vscode';
import { isFailure } from '#base/failure.ts';
import type { Clusters } from './clusters.ts';
import type { Messages } from './messages.ts';
import type { Runs } from './runs.ts';
import { loadConnectOnStartup, loadDefaultCluster } from './settings.ts';

/** Connects to where the user is at work, as far as nobody must be asked; offers it where something was still running. */
export async function connectOnStartup(clusters: Clusters, runs: Runs, messages: Messages): Promise<void> {
  if (!loadConnectOnStartup() || !vscode.workspace.isTrusted) return;
  const unfinished = runs.unfinished();
  const fallback = loadDefaultCluster();
  const names = clusters.entries.map(each => each.name).filter(name => name === fallback || unfinished.includes(name));
  await Promise.all(
    names.map(async name => {
      try {
        await clusters.connect(name, { isSilent: true });
      } catch (error) {
        messages.log.info(`${name} was not connected to at the start: ${String(error)}`);
        if (!unfinished.includes(name) || isFailure(error, 'extension/no-cluster')) return;
        const text = `A run on ${name} had not ended when the editor was closed. Connect to see it?`;
        if ((await vscode.window.showInformationMessage(text, 'Connect')) === undefined) return;
        await vscode.commands.executeCommand('cwl.connect', name);
      }
    }),
  );
}
