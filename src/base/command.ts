/** What to execute: said by a pure room, done by whoever owns a shell or a process. */
export interface Command {
  /** Program and arguments, no shell in between. */
  argv: string[];
  /** The whole environment of the process; undefined means that of the caller. */
  env?: Record<string, string>;
  cwd?: string;
  /** Text for its standard input. */
  stdin?: string;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: string | null;
}

/** What a command wrote, and how it ended. */
export interface Answer {
  stdout: string;
  stderr: string;
  exit: Exit;
}

/** A command whose standard output means a `T`. */
export interface Query<T> extends Command {
  /** Reads the answer; throws a Failure that quotes it if it makes no sense. */
  parse(answer: Answer): T;
}

/** Quotes one word for `/bin/sh` (POSIX.1-2017, XCU §2.2); plain words stay as they are. */
export function quoteShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line that a person can paste into a shell. */
export function formatCommand(argv: readonly string[]): string {
  return argv.map(quoteShell).join(' ');
}
