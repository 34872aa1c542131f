import * as vscode from 'vscode';
import { checkLocks, type RunOptions, startRun } from '#protocol/messages.ts';
import type { Cluster } from '#remote/cluster.ts';
import { bringImages } from '#remote/images.ts';
import { uploadSources } from '#remote/sources.ts';
import { withProgress } from './cancellation.ts';
import type { ClusterChoice } from './cluster-choice.ts';
import type { ClusterEntry } from './cluster-settings.ts';
import type { Clusters } from './clusters.ts';
import { formatProgress, toPercent } from './format.ts';
import type { InputsChoice } from './inputs-choice.ts';
import type { LanguageServer, ProcessKey } from './language-server.ts';
import type { LockWarnings } from './lock-warnings.ts';
import type { Messages } from './messages.ts';
import { collectSources, DocumentsAtFault, type RunSources } from './run-sources.ts';
import type { Runs } from './runs.ts';
import type { RunsView } from './runs-view.ts';

/** *Run on Cluster*, from the click to the line in the view *Runs*. */
export class RunStarter {
  readonly #clusters: Clusters;
  readonly #choice: ClusterChoice;
  readonly #inputs: InputsChoice;
  readonly #server: LanguageServer;
  readonly #locks: LockWarnings;
  readonly #runs: Runs;
  readonly #view: RunsView;
  readonly #messages: Messages;
  /** On this machine, for images on their way to a cluster. */
  readonly #imageFolder: string;

  constructor(
    context: vscode.ExtensionContext,
    parts: {
      clusters: Clusters;
      choice: ClusterChoice;
      inputs: InputsChoice;
      server: LanguageServer;
      locks: LockWarnings;
      runs: Runs;
      view: RunsView;
      messages: Messages;
    },
  ) {
    this.#clusters = parts.clusters;
    this.#choice = parts.choice;
    this.#inputs = parts.inputs;
    this.#server = parts.server;
    this.#locks = parts.locks;
    this.#runs = parts.runs;
    this.#view = parts.view;
    this.#messages = parts.messages;
    this.#imageFolder = vscode.Uri.joinPath(context.globalStorageUri, 'images').fsPath;
  }

  /** `isAsking`: another inputs file than last time. Does nothing where the user gives up on the way. */
  async run(key: ProcessKey, isAsking: boolean): Promise<void> {
    const name = await this.#choice.take();
    if (name === undefined) return;
    const inputs = await this.#takeInputs(key, isAsking);
    if (inputs === undefined || inputs.kind === 'made') return;
    await vscode.workspace.saveAll(false);
    const sources = await this.#collect(key, inputs.kind === 'file' ? inputs.uri : undefined);
    if (!sources) return;
    const label = labelOf(key);
    const id = await withProgress(`${label} on ${name}`, (tell, signal) =>
      this.#start(name, label, sources, tell, signal),
    );
    await this.#view.reveal({ cluster: name, id });
  }

  async #takeInputs(key: ProcessKey, isAsking: boolean) {
    const last = this.#inputs.findLast(key);
    const isThere =
      last &&
      (await vscode.workspace.fs.stat(last).then(
        () => true,
        () => false,
      ));
    return last && isThere && !isAsking ? ({ kind: 'file', uri: last } as const) : this.#inputs.choose(key);
  }

  async #collect(key: ProcessKey, inputs: vscode.Uri | undefined): Promise<RunSources | undefined> {
    try {
      return await collectSources(this.#server, key, inputs);
    } catch (error) {
      if (!(error instanceof DocumentsAtFault)) throw error;
      const chosen = await vscode.window.showErrorMessage(`It can't be run. ${error.message}`, 'Show');
      const [first] = error.problems;
      if (chosen !== undefined && first) {
        const { start, end } = first.range;
        const selection = new vscode.Range(start.line, start.character, end.line, end.character);
        await vscode.window.showTextDocument(vscode.Uri.parse(first.uri, true), { selection });
      }
      return undefined;
    }
  }

  async #start(
    name: string,
    label: string,
    sources: RunSources,
    tell: (message: string, percent?: number) => void,
    signal: AbortSignal,
  ): Promise<string> {
    const entry = this.#clusters.entry(name);
    tell('connecting…');
    const cluster = await this.#clusters.connect(name, {
      signal,
      onInstall: progress => tell(formatProgress(progress) ?? 'installing the helper…'),
    });
    const uploaded = await uploadSources(cluster, sources.files, {
      signal,
      onProgress: progress => tell(formatProgress(progress) ?? 'uploading…', toPercent(progress)),
    });
    await this.#warnOfLocks(cluster, entry, signal);
    await this.#bringImages(cluster, entry, sources, tell, signal);
    tell('starting…');
    const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const outdir = entry.outputFolder && `${entry.outputFolder}/${label.replace(/[^\w.-]+/g, '-')}-${stamp}`;
    const options = toOptions(entry);
    const { folders, tool, inputs } = sources;
    const request = { sources: uploaded, folders, tool, inputs, label, outdir, options };
    const { id } = await cluster.request(startRun, request, signal);
    await this.#runs.noteStart({ cluster: name, id }, cluster);
    return id;
  }

  async #bringImages(
    cluster: Cluster,
    { engine, imageStore, mirrors, pullFrom: route = 'auto' }: ClusterEntry,
    sources: RunSources,
    tell: (message: string, percent?: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    // Tools on the cluster itself need no image.
    if (engine === 'host') return;
    await bringImages(cluster, sources, {
      route,
      imageStore,
      mirrors,
      cacheFolder: this.#imageFolder,
      log: this.#messages.log,
      signal,
      onProgress: progress => tell(formatProgress(progress) ?? 'pulling images…', toPercent(progress)),
    });
  }

  async #warnOfLocks(cluster: Cluster, entry: ClusterEntry, signal: AbortSignal): Promise<void> {
    const paths = [
      cluster.helper.hello.home,
      ...[entry.outputFolder, entry.imageStore, entry.cache].filter(path => path !== undefined),
    ];
    const findings = await cluster.request(checkLocks, { paths }, signal);
    for (const finding of findings) this.#locks.warn(entry.name, finding);
  }
}

function toOptions({ engine, dockerCommand, parallel, mirrors, imageStore, cache }: ClusterEntry): RunOptions {
  const chosen = engine === undefined || engine === 'auto' ? {} : { engine, dockerCommand };
  return { ...chosen, parallel, mirrors, imageStore, cache };
}

function labelOf({ uri, id }: ProcessKey): string {
  const name = uri.path.split('/').pop() ?? uri.path;
  return id === undefined ? name : `${name}#${id}`;
}
