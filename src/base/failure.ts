/**
 * The machine could not do its part: thrown, never returned. `code` is `room/kebab-case` and stable, `hint` tells
 * the user what to do, `cause` is what happened underneath.
 *
 * A fault in the user's document is a {@link Problem}; the end of the user's own program is an outcome; both are values.
 */
export class Failure extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.hint = options.hint;
  }
}

/** True for a {@link Failure}; with `code`, only for one of that code. */
export function isFailure(error: unknown, code?: string): error is Failure {
  return error instanceof Failure && (code === undefined || error.code === code);
}

/** One paragraph for a person: the message, its causes, and the hint. */
export function formatFailure(error: unknown): string {
  const lines: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    const text = at instanceof Error ? at.message : String(at);
    if (!lines.some(line => line.includes(text))) lines.push(text);
  }
  const hint = error instanceof Failure ? error.hint : undefined;
  return lines.join(': ') + (hint ? `\n${hint}` : '');
}
