/** Where a room tells what it does. Never a secret: no password, token or key passes through it. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** A log that keeps nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {} };

/** How far a long piece of work is. `total` is absent while it is unknown. */
export interface Progress {
  /** What is being done, for a person: `pulling quay.io/biocontainers/samtools`. */
  what: string;
  done: number;
  total?: number;
  unit: 'bytes' | 'steps';
}
