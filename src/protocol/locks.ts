/** How far a lock that one process takes holds against others. */
export type LockScope = 'cluster' | 'node' | 'none' | 'unknown';

/** What the mount table says about one directory. */
export interface LockFinding {
  path: string;
  mountPoint: string;
  fileSystem: string;
  source: string;
  /** flock(2). */
  flock: LockScope;
  /** fcntl(2) record locks. */
  fcntl: LockScope;
  severity: 'ok' | 'information' | 'warning';
  /** For a person: what can happen, and what to do. */
  message: string;
}
