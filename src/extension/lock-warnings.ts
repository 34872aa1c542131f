import * as vscode from 'vscode';
import type { LockFinding } from '#protocol/locks.ts';
import type { Runs } from './runs.ts';

const mutedKey = 'cwl.mutedLocks';

/** Warns where runs lie on a file system whose locks do not hold: once per file system and session. */
export class LockWarnings {
  readonly #memory: vscode.Memento;
  readonly #told = new Set<string>();

  constructor(context: vscode.ExtensionContext, runs: Runs) {
    this.#memory = context.globalState;
    context.subscriptions.push(
      runs.onLockConflict(({ cluster, finding }) => this.warn(cluster, finding)),
      vscode.commands.registerCommand('cwl.explainLock', (finding: LockFinding) => explain(finding)),
    );
  }

  warn(cluster: string, finding: LockFinding): void {
    if (finding.severity !== 'warning') return;
    const name = `${cluster}\n${finding.mountPoint}`;
    if (this.#told.has(name) || this.#muted().includes(name)) return;
    this.#told.add(name);
    void this.#show(cluster, finding, name);
  }

  async #show(cluster: string, finding: LockFinding, name: string): Promise<void> {
    // The first sentence says what is wrong; the rest, what to do, is for who wants to know.
    const [reason = ''] = /^.*?[.!?](?=\s|$)/.exec(finding.message) ?? [finding.message];
    const text = `Files on ${cluster} can be damaged: locks do not hold. ${reason}`;
    const chosen = await vscode.window.showWarningMessage(text, 'What to Do', 'Don’t Warn Again');
    if (chosen === 'What to Do') await explain(finding);
    else if (chosen !== undefined) await this.#memory.update(mutedKey, [...this.#muted(), name]);
  }

  #muted(): string[] {
    return this.#memory.get<string[]>(mutedKey, []);
  }
}

async function explain(finding: LockFinding): Promise<void> {
  const detail = [
    finding.message,
    `Directory: ${finding.path}`,
    `Mounted at ${finding.mountPoint} from ${finding.source} (${finding.fileSystem})`,
    `flock: ${scopes[finding.flock]}`,
    `fcntl: ${scopes[finding.fcntl]}`,
  ].join('\n\n');
  await vscode.window.showInformationMessage(`File locks on ${finding.mountPoint}`, { modal: true, detail });
}

const scopes: Record<LockFinding['flock'], string> = {
  cluster: 'holds between all nodes',
  node: 'holds only between processes of one node',
  none: 'is not there',
  unknown: 'nothing is known',
};
