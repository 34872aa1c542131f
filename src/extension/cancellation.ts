import * as vscode from 'vscode';

/** Runs `work` under a notification with a progress bar; *Cancel* aborts its signal. */
export async function withProgress<T>(
  title: string,
  work: (tell: (message: string, percent?: number) => void, signal: AbortSignal) => Promise<T>,
  isCancellable = true,
): Promise<T> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: isCancellable };
  return vscode.window.withProgress(options, async (progress, token) => {
    const controller = new AbortController();
    const subscription = token.onCancellationRequested(() => controller.abort());
    let shown = 0;
    const tell = (message: string, percent?: number) => {
      const increment = percent === undefined ? undefined : Math.max(0, percent - shown);
      shown += increment ?? 0;
      progress.report({ message, increment });
    };
    try {
      return await work(tell, controller.signal);
    } finally {
      subscription.dispose();
    }
  });
}
