import * as vscode from 'vscode';
import { type ClusterEntry, parseClusters } from './cluster-settings.ts';

/** The clusters of the settings, and what is wrong there. */
export function loadClusters(): { clusters: ClusterEntry[]; faults: string[] } {
  return parseClusters(settings().get('clusters'));
}

/** Name of the cluster to run on; undefined where none was chosen, or there is only one. */
export function loadDefaultCluster(): string | undefined {
  const { clusters } = loadClusters();
  const name = settings().get<string>('defaultCluster');
  return clusters.find(each => each.name === name)?.name ?? (clusters.length === 1 ? clusters[0]?.name : undefined);
}

export async function saveDefaultCluster(name: string): Promise<void> {
  await settings().update('defaultCluster', name, targetOf('defaultCluster'));
}

/** Adds to where the list stands already, or else to the user's own settings. */
export async function saveNewCluster(entry: ClusterEntry): Promise<void> {
  const found = settings().inspect<unknown[]>('clusters');
  const target = targetOf('clusters');
  const isWorkspace = target === vscode.ConfigurationTarget.Workspace;
  const list = isWorkspace ? found?.workspaceValue : found?.globalValue;
  await settings().update('clusters', [...(list ?? []), entry], target);
}

export function loadConnectOnStartup(): boolean {
  return settings().get('connectOnStartup', true);
}

/** Bytes above which the user is asked before a file is fetched. */
export function loadLargestUnasked(): number {
  return settings().get('askBeforeFetching', 50) * 1e6;
}

function settings(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('cwl');
}

function targetOf(name: string): vscode.ConfigurationTarget {
  const isInWorkspace = settings().inspect(name)?.workspaceValue !== undefined;
  return isInWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
}
