import type { RunEvent } from '#runner/events.ts';

/**
 * The events in complete lines of a journal. A process that was killed while it wrote leaves half a line, and the process
 * that went on may have appended to it: then the event after the torn one is found; the torn one is lost, and with it
 * only that its task is run again.
 */
export function parseJournalLines(lines: readonly string[]): RunEvent[] {
  return lines.flatMap(line => parseLine(line) ?? []);
}

function parseLine(line: string): RunEvent | undefined {
  for (let at = line.indexOf('{"type":'); at >= 0; at = line.indexOf('{"type":', at + 1)) {
    const event = parseEvent(line.slice(at));
    if (event) return event;
  }
  return undefined;
}

function parseEvent(text: string): RunEvent | undefined {
  try {
    const event = JSON.parse(text) as { type?: unknown; time?: unknown; task?: unknown; step?: unknown };
    if (typeof event.time !== 'string') return undefined;
    if (event.type === 'task') return typeof event.task === 'string' ? (event as RunEvent) : undefined;
    return event.type === 'run-started' || event.type === 'run-ended' ? (event as RunEvent) : undefined;
  } catch {
    return undefined;
  }
}
