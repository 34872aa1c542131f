import * as vscode from 'vscode';
import { formatFailure } from '#base/failure.ts';
import { openShell } from '#protocol/messages.ts';
import type { TaskSummary } from '#protocol/runs.ts';
import type { Cluster } from '#remote/cluster.ts';
import type { Clusters } from './clusters.ts';
import type { RunKey } from './runs.ts';

/** Milliseconds without output after which a shell is taken to wait at its prompt. */
const promptSilence = 250;
const defaultSize = { columns: 80, rows: 24 };

/** Opens a terminal in the sandbox of a task; its command line stands at the prompt and is not executed. */
export async function openStepTerminal(clusters: Clusters, key: RunKey, task: TaskSummary): Promise<void> {
  const cluster = await clusters.connect(key.cluster);
  const shell = await cluster.request(openShell, { run: key.id, task: task.id });
  const pty = new StepTerminal(cluster, shell.arguments, shell.commandLine);
  const options = { name: `${task.id} · ${key.cluster}`, pty, iconPath: new vscode.ThemeIcon('server-process') };
  vscode.window.createTerminal(options).show();
}

class StepTerminal implements vscode.Pseudoterminal {
  readonly #cluster: Cluster;
  readonly #arguments: string[];
  readonly #commandLine: string;
  readonly #written = new vscode.EventEmitter<string>();
  readonly #closed = new vscode.EventEmitter<number>();
  readonly onDidWrite = this.#written.event;
  readonly onDidClose = this.#closed.event;
  #terminal: Awaited<ReturnType<Cluster['openTerminal']>> | undefined;
  #isClosed = false;
  #hasTyped = false;
  #silence: NodeJS.Timeout | undefined;

  constructor(cluster: Cluster, args: string[], commandLine: string) {
    this.#cluster = cluster;
    this.#arguments = args;
    this.#commandLine = commandLine;
  }

  open(size: vscode.TerminalDimensions | undefined): void {
    void this.#run(size ?? defaultSize).catch(error => {
      this.#written.fire(`\r\n\u001b[31m${formatFailure(error).replaceAll('\n', '\r\n')}\u001b[0m\r\n`);
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#silence);
    this.#terminal?.close();
  }

  handleInput(data: string): void {
    // Who types before the prompt is there wants something else. Answers of the terminal to a shell that asks where the
    // cursor is are not typed.
    if (!data.startsWith('\u001b')) this.#hasTyped = true;
    this.#terminal?.stream.write(data);
  }

  setDimensions({ columns, rows }: vscode.TerminalDimensions): void {
    this.#terminal?.resize(columns, rows);
  }

  async #run(size: { columns: number; rows: number }): Promise<void> {
    const terminal = await this.#cluster.openTerminal(this.#arguments, size);
    this.#terminal = terminal;
    if (this.#isClosed) return terminal.close();
    terminal.stream.on('data', (chunk: Buffer) => {
      this.#written.fire(decoder.decode(chunk, { stream: true }));
      if (!this.#hasTyped) this.#typeSoon();
    });
    const decoder = new TextDecoder();
    const exit = await terminal.exit;
    clearTimeout(this.#silence);
    if (!this.#isClosed) this.#closed.fire(exit.code ?? 1);
  }

  #typeSoon(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (this.#hasTyped || this.#isClosed) return;
      this.#hasTyped = true;
      this.#terminal?.stream.write(toTyping(this.#commandLine));
    }, promptSilence);
  }
}

/** A line end would execute it; after Ctrl-V it is only text (readline, BusyBox, and terminals without an editor). */
function toTyping(commandLine: string): string {
  return commandLine.trimEnd().replaceAll('\n', '\u0016\n');
}
