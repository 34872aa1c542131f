import { Failure } from '#base/failure.ts';

/** What a command of the helper is given; nothing else of the process is touched by it. */
export interface Invocation {
  /** Arguments after the command's name. */
  args: string[];
  stdout(text: string): void;
  stderr(text: string): void;
  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  signal: AbortSignal;
}

/** A command of the helper's command line; the number is its exit status. A thrown Failure is printed by `main` and exits with 1. */
export type HelperCommand = (invocation: Invocation) => Promise<number>;

/** A wrong command line: `main` prints it and exits with 2. */
export function usageFailure(message: string, hint?: string): Failure {
  return new Failure('helper/usage', message, { hint });
}
