/** A place in a text: zero-based lines and UTF-16 columns, as the Language Server Protocol counts. */
export interface Position {
  line: number;
  character: number;
}

/** From `start` up to, not including, `end`. */
export interface Range {
  start: Position;
  end: Position;
}

/** A fault in the user's document: a value with its place, shown as a squiggle or as one line on stderr. */
export interface Problem {
  /** Stable, `cwl/kebab-case`. */
  code: string;
  message: string;
  severity: 'error' | 'warning' | 'information';
  /** URI of the document that is at fault. */
  uri: string;
  range: Range;
}

/** `path:line:column: message`, one-based, as compilers print it. `toPath` shortens the URI. */
export function formatProblem(problem: Problem, toPath: (uri: string) => string = uri => uri): string {
  const { line, character } = problem.range.start;
  const label = problem.severity === 'error' ? '' : `${problem.severity}: `;
  return `${toPath(problem.uri)}:${line + 1}:${character + 1}: ${label}${problem.message}`;
}
