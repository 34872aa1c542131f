import type { RunEvent } from '#runner/events.ts';

/** One line for a person who watches a run; undefined for what is not worth one. */
export function formatEvent(event: RunEvent): string | undefined {
  if (event.type === 'progress') return undefined;
  if (event.type === 'run-started')
    return event.resumed ? `Going on with ${event.label}\n` : `Running ${event.label}\n`;
  if (event.type === 'engine') {
    const why = event.why === undefined ? '' : `: ${event.why}`;
    return `Tools with an image run with ${event.engine} on ${event.hostname}${why}\n`;
  }
  if (event.type === 'run-ended') return event.state === 'success' ? 'The run has ended well.\n' : undefined;
  switch (event.state) {
    case 'running':
      return `[${event.task}] running: ${shorten(event.commandLine ?? '')}\n`;
    case 'success':
      return `[${event.task}] done\n`;
    case 'reused':
      return `[${event.task}] done before\n`;
    case 'skipped':
      return `[${event.task}] skipped\n`;
    case 'failure':
      // All that is known of it is told at the end.
      return `[${event.task}] failed: ${event.message?.split('\n')[0] ?? ''}\n`;
    default:
      return undefined;
  }
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= 300 ? line : `${line.slice(0, 297)}...`;
}
