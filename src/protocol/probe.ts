/** What a host is and can do, as found by running things on it. */
export interface ProbeReport {
  hostname: string;
  os: string;
  kernel: string;
  arch: 'x64' | 'arm64';
  libc: string;
  cores: number;
  memoryBytes: number;
  engines: EngineReport[];
  /** The engine that `auto` takes here, or the one that was asked for. */
  best: string | undefined;
}

export interface EngineReport {
  engine: string;
  works: boolean;
  /** For a person: what was seen, and the cure where it does not work. */
  message: string;
  /** Nanoseconds for one stat(2) inside the sandbox. */
  statCost?: number;
}
