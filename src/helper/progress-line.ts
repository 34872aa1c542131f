import { isatty } from 'node:tty';
import type { Progress } from '#base/log.ts';

/** Shows progress on standard error: one line that changes on a terminal, now and then a line elsewhere. */
export interface ProgressPrinter {
  show(progress: Progress): void;
  /** Leaves the line, so that something else can be written. */
  end(): void;
}

export function makeProgressPrinter(
  write: (text: string) => void,
  isTerminal = isatty(2),
  now = Date.now,
): ProgressPrinter {
  // ms between two lines.
  const pause = isTerminal ? 100 : 10_000;
  let last = { what: '', time: Number.NEGATIVE_INFINITY };
  let isOpen = false;
  return {
    show(progress) {
      const isNew = progress.what !== last.what;
      if (!isNew && now() - last.time < pause) return;
      last = { what: progress.what, time: now() };
      if (isTerminal) write(`\r\x1b[K${formatProgress(progress)}`);
      else write(`${formatProgress(progress)}\n`);
      isOpen = isTerminal;
    },
    end() {
      if (isOpen) write('\r\x1b[K');
      isOpen = false;
    },
  };
}

/** `pulling docker.io/library/alpine:latest 3.2 of 8.1 MB`. */
export function formatProgress({ what, done, total, unit }: Progress): string {
  if (unit === 'steps') return `${what} ${done}${total === undefined ? '' : ` of ${total}`}`;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return `${what} ${megabytes(done)}${total === undefined ? '' : ` of ${megabytes(total)}`} MB`;
}
