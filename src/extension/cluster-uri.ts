import * as vscode from 'vscode';

/** Scheme of files on clusters: `cwl-run://CLUSTER/absolute/path`. */
export const clusterScheme = 'cwl-run';

export function toClusterUri(cluster: string, path: string): vscode.Uri {
  return vscode.Uri.from({ scheme: clusterScheme, authority: cluster, path });
}
