import * as vscode from 'vscode';
import { Failure, formatFailure } from '#base/failure.ts';

/** Where people learn that something went wrong. */
export class Messages {
  readonly log: vscode.LogOutputChannel;

  constructor() {
    this.log = vscode.window.createOutputChannel('CWL on Clusters', { log: true });
  }

  /** Tells of a Failure (message and hint), or of a bug; says nothing where the user cancelled. `more` adds buttons. */
  async showFailure(error: unknown, more: Record<string, () => unknown> = {}): Promise<void> {
    if (isCancellation(error)) return;
    const isExpected = error instanceof Failure;
    this.log.error(isExpected ? `${error.code}: ${formatFailure(error)}` : describeBug(error));
    const text = isExpected ? toSentences(error) : `CWL on Clusters has a fault: ${String(error)}`;
    const chosen = await vscode.window.showErrorMessage(text, ...Object.keys(more), 'Show Details');
    if (chosen === 'Show Details') this.log.show(true);
    else if (chosen !== undefined) await more[chosen]?.();
  }

  /** A command's handler: whatever it throws is shown. */
  guard<A extends unknown[]>(handler: (...args: A) => unknown): (...args: A) => Promise<void> {
    return async (...args) => {
      try {
        await handler(...args);
      } catch (error) {
        void this.showFailure(error);
      }
    };
  }

  dispose(): void {
    this.log.dispose();
  }
}

/** The user changed their mind: nothing to tell. */
export function isCancellation(error: unknown): boolean {
  const name = error instanceof Error ? error.name : '';
  return name === 'AbortError' || name === 'Canceled' || error instanceof vscode.CancellationError;
}

function toSentences(failure: Failure): string {
  const message = failure.message.trim();
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  // The name of a file keeps its case.
  const isWord = /^\p{L}+[\s,.]/u.test(sentence);
  const first = isWord ? sentence.charAt(0).toUpperCase() : sentence.charAt(0);
  return `${first}${sentence.slice(1)}${failure.hint ? ` ${failure.hint}` : ''}`;
}

function describeBug(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
