import * as vscode from 'vscode';
import { isFailure } from '#base/failure.ts';
import { type LogKey, logAppended, readLog, statFile, unwatchLog, watchLog } from '#protocol/messages.ts';
import type { TaskSummary } from '#protocol/runs.ts';
import type { Cluster } from '#remote/cluster.ts';
import type { Clusters } from './clusters.ts';
import { LogFollower } from './log-follower.ts';
import { LogText } from './log-text.ts';
import type { Messages } from './messages.ts';
import type { RunKey, Runs } from './runs.ts';

const scheme = 'cwl-log';
/** Characters of a log that are kept in the editor. */
const textLimit = 512 * 1024;
/** Milliseconds between changes of a document. */
const updateInterval = 250;

interface Source extends RunKey {
  task?: string;
}

/** Logs as read-only documents that grow while their step runs. Closing the document ends that. */
export class LogDocuments implements vscode.TextDocumentContentProvider {
  readonly #clusters: Clusters;
  readonly #runs: Runs;
  readonly #messages: Messages;
  readonly #tails = new Map<string, Tail>();
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;

  constructor(context: vscode.ExtensionContext, clusters: Clusters, runs: Runs, messages: Messages) {
    this.#clusters = clusters;
    this.#runs = runs;
    this.#messages = messages;
    context.subscriptions.push(
      this.#changed,
      new LogFollower(scheme),
      vscode.workspace.registerTextDocumentContentProvider(scheme, this),
      vscode.workspace.onDidCloseTextDocument(document => this.#close(document.uri)),
      clusters.onDidOpen(({ name }) => this.#reopen(name)),
      { dispose: () => this.#stopAll() },
    );
  }

  async show(key: RunKey, label: string, task?: TaskSummary): Promise<void> {
    const source: Source = { ...key, task: task?.id };
    // The path is the title of the editor.
    const title = task ? `${task.id.replaceAll('/', '∕')} · ${label}` : label;
    const uri = vscode.Uri.from({ scheme, path: `/${title}.log`, query: JSON.stringify(source) });
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.languages.setTextDocumentLanguage(document, 'log');
    await vscode.window.showTextDocument(document, { preview: true, preserveFocus: false });
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const known = this.#tails.get(uri.toString());
    if (known) return known.toString();
    const source = JSON.parse(uri.query) as Source;
    const cluster = await this.#clusters.connect(source.cluster);
    const detail = await this.#runs.loadDetail(source);
    const task = detail.taskList.find(each => each.id === source.task);
    const head = task ? describeTask(task) : '';
    const tail = new Tail(head, () => this.#changed.fire(uri));
    this.#tails.set(uri.toString(), tail);
    await tail.start(cluster, source, task?.folder ?? (source.task === undefined ? detail.folder : undefined));
    return tail.toString();
  }

  #stopAll(): void {
    for (const tail of this.#tails.values()) tail.stop();
  }

  #close(uri: vscode.Uri): void {
    this.#tails.get(uri.toString())?.stop();
    this.#tails.delete(uri.toString());
  }

  /** A new connection knows nothing of what the last one watched. */
  #reopen(cluster: string): void {
    for (const [name] of this.#tails) {
      const uri = vscode.Uri.parse(name);
      if ((JSON.parse(uri.query) as Source).cluster !== cluster) continue;
      this.#close(uri);
      this.provideTextDocumentContent(uri).then(
        () => this.#changed.fire(uri),
        error => this.#messages.showFailure(error),
      );
    }
  }
}

function describeTask(task: TaskSummary): string {
  const facts = [task.image, task.engine].filter(Boolean).join(', ');
  const lines = [
    ...(facts ? [`# ${task.id} in ${facts}`] : []),
    ...(task.commandLine ? [`$ ${task.commandLine}`] : []),
  ];
  return lines.length > 0 ? `${lines.join('\n')}\n\n` : '';
}

/** One log, or the two streams of a task in the order in which they come. */
class Tail {
  #text: LogText;
  readonly #head: string;
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | undefined;
  #stop: (() => void)[] = [];
  #open = 0;
  #isOver = false;

  constructor(head: string, onChange: () => void) {
    this.#head = head;
    this.#text = new LogText(textLimit, head, false);
    this.#onChange = onChange;
  }

  async start(cluster: Cluster, source: Source, folder: string | undefined): Promise<void> {
    const keys: LogKey[] =
      source.task === undefined
        ? [{ run: source.id, stream: 'log' }]
        : (['stdout', 'stderr'] as const).map(stream => ({ run: source.id, task: source.task, stream }));
    this.#open = keys.length;
    const offsets = await Promise.all(keys.map(key => findBeginning(cluster, key, folder, textLimit / keys.length)));
    this.#text = new LogText(textLimit, this.#head, offsets.some(Boolean));
    for (const [index, key] of keys.entries()) {
      const first = await cluster.request(readLog, { ...key, offset: offsets[index] ?? 0 });
      this.#text.append(first.text);
      if (first.ended) this.#end();
      else await this.#watch(cluster, key, first.next);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const stop of this.#stop.splice(0)) stop();
  }

  toString(): string {
    const nothing = this.#text.isEmpty && this.#isOver ? '(nothing was written)\n' : '';
    return `${this.#text}${nothing}`;
  }

  async #watch(cluster: Cluster, key: LogKey, offset: number): Promise<void> {
    const off = cluster.on(logAppended, piece => {
      if (piece.run !== key.run || piece.task !== key.task || piece.stream !== key.stream) return;
      this.#text.append(piece.text);
      if (piece.ended) {
        off();
        this.#end();
      }
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#onChange();
      }, updateInterval);
    });
    this.#stop.push(() => {
      off();
      // It may be gone, and the watch with it.
      if (cluster.state.kind === 'ready') void cluster.request(unwatchLog, key).catch(() => {});
    });
    await cluster.request(watchLog, { ...key, offset });
  }

  #end(): void {
    this.#open--;
    this.#isOver = this.#open === 0;
  }
}

/** Of a long log only the end is fetched. */
async function findBeginning(
  cluster: Cluster,
  key: LogKey,
  folder: string | undefined,
  limit: number,
): Promise<number> {
  if (folder === undefined) return 0;
  try {
    const { size } = await cluster.request(statFile, { path: `${folder}/${key.stream}` });
    return Math.max(0, size - limit);
  } catch (error) {
    if (isFailure(error)) return 0;
    throw error;
  }
}
