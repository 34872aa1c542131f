import * as vscode from 'vscode';
import { Failure } from '#base/failure.ts';
import type { TaskSummary } from '#protocol/runs.ts';
import type { Clusters } from './clusters.ts';
import type { LogDocuments } from './log-documents.ts';
import type { Messages } from './messages.ts';
import { isActive, shortenPaths } from './run-tree.ts';
import type { RunKey, Runs } from './runs.ts';
import type { RunLine, RunsView } from './runs-view.ts';
import { openStepTerminal } from './step-terminal.ts';

/** Commands on runs and their steps; without a line of the view they ask which. */
export class RunCommands {
  readonly #clusters: Clusters;
  readonly #runs: Runs;
  readonly #logs: LogDocuments;

  constructor(
    context: vscode.ExtensionContext,
    parts: { clusters: Clusters; runs: Runs; logs: LogDocuments; view: RunsView; messages: Messages },
  ) {
    this.#clusters = parts.clusters;
    this.#runs = parts.runs;
    this.#logs = parts.logs;
    const commands: Record<string, (line?: RunLine) => unknown> = {
      refreshRuns: () => this.#runs.refresh(),
      cancelRun: line => this.#cancel(line),
      resumeRun: line => this.#resume(line),
      removeRun: line => this.#remove(line),
      showLog: line => this.#showLog(line),
      openShell: line => this.#openShell(line),
      copyCommandLine: line => this.#copyCommandLine(line),
    };
    for (const [name, handler] of Object.entries(commands)) {
      context.subscriptions.push(vscode.commands.registerCommand(`cwl.${name}`, parts.messages.guard(handler)));
    }
    context.subscriptions.push(
      this.#runs.onDidEnd(({ cluster, id, run }) => {
        if (run.state === 'failure')
          void this.#tellOfFailure({ cluster, id }, run.label, shortenPaths(run, run.message ?? ''));
        else if (run.state === 'success') {
          void vscode.window
            .showInformationMessage(`${run.label} on ${cluster} is done.`, 'Show Outputs')
            .then(chosen => {
              if (chosen !== undefined) return parts.view.reveal({ cluster, id });
            });
        }
      }),
    );
  }

  async #tellOfFailure(key: RunKey, label: string, message: string): Promise<void> {
    const [first] = message.split('\n');
    const text = `${label} on ${key.cluster} failed${first ? `: ${first}` : '.'}`;
    if ((await vscode.window.showErrorMessage(text, 'Show Log')) === undefined) return;
    const detail = await this.#runs.loadDetail(key);
    const failed = detail.taskList.find(task => task.state === 'failure' && task.folder !== undefined);
    await this.#logs.show(key, label, failed);
  }

  async #cancel(line: RunLine | undefined): Promise<void> {
    const key = line?.key ?? (await this.#pickRun('Cancel', run => isActive(run)));
    if (!key) return;
    const label = this.#runs.find(key)?.label ?? key.id;
    const detail = 'Steps that are done are kept: it can be resumed.';
    const chosen = await vscode.window.showWarningMessage(`Cancel ${label}?`, { modal: true, detail }, 'Cancel Run');
    if (chosen !== undefined) await this.#runs.cancel(key);
  }

  async #resume(line: RunLine | undefined): Promise<void> {
    const key = line?.key ?? (await this.#pickRun('Resume', run => !isActive(run) && run.state !== 'success'));
    if (key) await this.#runs.resume(key);
  }

  async #remove(line: RunLine | undefined): Promise<void> {
    const key = line?.key ?? (await this.#pickRun('Remove', run => !isActive(run)));
    const run = key && this.#runs.find(key);
    if (!key || !run) return;
    const isInside = run.outdir.startsWith(`${run.folder}/`);
    const detail = isInside
      ? 'Its outputs are inside the run and are removed too.'
      : `Its outputs in ${run.outdir} stay.`;
    const question = `Remove the run ${run.label} from ${key.cluster}?`;
    const chosen = await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Remove');
    if (chosen !== undefined) await this.#runs.remove(key);
  }

  async #showLog(line: RunLine | undefined): Promise<void> {
    const found = line ? { key: line.key, task: taskOf(line) } : await this.#pickTask('Show the log of', true);
    if (!found) return;
    await this.#logs.show(found.key, this.#runs.find(found.key)?.label ?? found.key.id, found.task);
  }

  async #openShell(line: RunLine | undefined): Promise<void> {
    const task = line && taskOf(line);
    const found = line && task ? { key: line.key, task } : await this.#pickTask('Open a shell in', false);
    if (found?.task) await openStepTerminal(this.#clusters, found.key, found.task);
  }

  async #copyCommandLine(line: RunLine | undefined): Promise<void> {
    const task = line ? taskOf(line) : (await this.#pickTask('Copy the command line of', false))?.task;
    if (!task) return;
    if (!task.commandLine) throw new Failure('extension/no-command-line', `${task.id} has no command line yet`);
    await vscode.env.clipboard.writeText(task.commandLine);
    vscode.window.setStatusBarMessage(`The command line of ${task.id} is in the clipboard.`, 3000);
  }

  async #pickRun(
    what: string,
    fits: (run: ReturnType<Runs['list']>[number]['run']) => boolean,
  ): Promise<RunKey | undefined> {
    const items = this.#runs
      .list()
      .filter(({ run }) => fits(run))
      .map(({ cluster, id, run }) => ({
        label: run.label,
        description: [run.state, cluster, new Date(run.started).toLocaleString()].join(' · '),
        key: { cluster, id },
      }));
    if (items.length === 0) throw new Failure('extension/no-run', 'there is no such run');
    return (await vscode.window.showQuickPick(items, { title: 'Run', placeHolder: `${what} which run?` }))?.key;
  }

  async #pickTask(what: string, orRun: boolean): Promise<{ key: RunKey; task?: TaskSummary } | undefined> {
    const key = await this.#pickRun(what, () => true);
    if (!key) return undefined;
    const { taskList } = await this.#runs.loadDetail(key);
    const tasks = taskList.filter(task => task.folder !== undefined);
    const items: (vscode.QuickPickItem & { task?: TaskSummary })[] = tasks.map(task => ({
      label: task.id,
      description: task.state,
      task,
    }));
    if (orRun) items.unshift({ label: 'The run itself', description: 'log' });
    if (items.length === 0) throw new Failure('extension/no-step', 'no step of this run has begun');
    const chosen = await vscode.window.showQuickPick(items, { title: 'Step', placeHolder: `${what} which step?` });
    return chosen && { key, task: chosen.task };
  }
}

function taskOf({ node }: RunLine): TaskSummary | undefined {
  return node.kind === 'task' ? node.task : undefined;
}
