import * as vscode from 'vscode';
import { listHostAliases } from '#remote/host-aliases.ts';
import { checkName, suggestName } from './cluster-settings.ts';
import type { Clusters } from './clusters.ts';
import { loadDefaultCluster, saveDefaultCluster, saveNewCluster } from './settings.ts';

/** Which cluster: asked where the settings do not say. */
export class ClusterChoice {
  readonly #clusters: Clusters;

  constructor(clusters: Clusters) {
    this.#clusters = clusters;
  }

  /** The default cluster; asks, and adds one, where there is none. Undefined: the user gave up. */
  async take(): Promise<string | undefined> {
    return loadDefaultCluster() ?? this.choose();
  }

  /** Asks, and makes the answer the default. */
  async choose(): Promise<string | undefined> {
    if (this.#clusters.entries.length === 0) return this.add();
    const name = await this.pick('The cluster on which documents run', true);
    if (name !== undefined) await saveDefaultCluster(name);
    return name;
  }

  /** Asks for one of the clusters; with `mayAdd` a new one may be the answer. */
  async pick(placeHolder: string, mayAdd = false): Promise<string | undefined> {
    const items: (vscode.QuickPickItem & { name?: string })[] = this.#clusters.entries.map(({ name, host }) => ({
      label: name,
      description: host === name ? '' : host,
      iconPath: new vscode.ThemeIcon('server'),
      name,
    }));
    if (mayAdd) items.push({ label: 'Add a cluster…', iconPath: new vscode.ThemeIcon('add') });
    const chosen = await vscode.window.showQuickPick(items, { title: 'Cluster', placeHolder });
    return chosen && (chosen.name ?? this.add());
  }

  /** Asks for a host and a name, and writes them to the settings. */
  async add(): Promise<string | undefined> {
    const host = await this.#askHost();
    if (host === undefined) return undefined;
    const taken = this.#clusters.entries.map(each => each.name);
    const name = await vscode.window.showInputBox({
      title: 'Add Cluster (2/2)',
      prompt: 'How the cluster is called in the editor',
      value: suggestName(host, taken),
      validateInput: text => checkName(text, taken),
    });
    if (name === undefined) return undefined;
    await saveNewCluster({ name, host });
    if (taken.length > 0) await saveDefaultCluster(name);
    return name;
  }

  /** A host of the ssh configuration, or whatever is typed. */
  async #askHost(): Promise<string | undefined> {
    const aliases = listHostAliases();
    const box = vscode.window.createQuickPick();
    box.title = 'Add Cluster (1/2)';
    box.placeholder = 'A host of ~/.ssh/config, or user@host:port';
    const items = aliases.map(label => ({
      label,
      iconPath: new vscode.ThemeIcon('server'),
      description: '~/.ssh/config',
    }));
    box.items = items;
    box.ignoreFocusOut = true;
    return new Promise(resolve => {
      box.onDidChangeValue(text => {
        const typed = text.trim();
        const isListed = typed === '' || aliases.includes(typed);
        const own = {
          label: typed,
          description: 'connect to this host',
          alwaysShow: true,
          iconPath: new vscode.ThemeIcon('terminal'),
        };
        box.items = isListed ? items : [...items, own];
      });
      box.onDidAccept(() => {
        const chosen = box.activeItems[0]?.label ?? box.value.trim();
        if (chosen === '') return;
        resolve(chosen);
        box.hide();
      });
      box.onDidHide(() => {
        resolve(undefined);
        box.dispose();
      });
      box.show();
    });
  }
}
