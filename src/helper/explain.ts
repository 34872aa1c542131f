import { Failure } from '#base/failure.ts';

/** What the system refused, as a Failure that says what to do; whatever else it is stays as it is. */
export function explainSystemError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Failure) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new Failure('helper/system', error.message, { hint: hints[code] });
}

const hints: Record<string, string> = {
  ENOSPC: 'The disk is full: free some space, or set CWL_ON_CLUSTERS_HOME to a folder with more.',
  EDQUOT: 'Your quota is used up: free some space, or set CWL_ON_CLUSTERS_HOME to a folder with more.',
  EROFS: 'That file system is read-only here: choose another folder.',
  EACCES: 'You have no permission there: choose another folder.',
  EPERM: 'You have no permission there: choose another folder.',
  EMFILE: 'Too many files are open: run fewer tasks at a time (--parallel).',
  ENFILE: 'Too many files are open on this machine: try again later.',
  EAGAIN: 'This machine starts no more processes for you: end some, or try again later.',
};
