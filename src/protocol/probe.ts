/** What a host is and can do, as found by running things on it. */
export interface ProbeReport extends NodeReport {
  os: string;
  kernel: string;
  arch: 'x64' | 'arm64';
  libc: string;
  /** The batch job that asks; `job` is that of the test, which may have been another one's. */
  inside?: string;
  /** The next look at a node of this class need not test again. */
  isRemembered: boolean;
  cores: number;
  memoryBytes: number;
}

/** What tools can be run with on nodes of one class, as it was found on one of them. */
export interface NodeReport {
  /** The node that was looked at. */
  hostname: string;
  /** The names of such nodes, with their numbers left out: `cn#`. */
  className: string;
  /** ISO 8601. */
  tested: string;
  /** `Slurm job 1234`: what it was tested in. */
  job?: string;
  engines: EngineReport[];
  /** The engine that `auto` takes there, or the one that was asked for. */
  best: string | undefined;
  findings: NodeFinding[];
}

export interface EngineReport {
  engine: string;
  works: boolean;
  /** For a person: what was seen, and the cure where it does not work. */
  message: string;
  /** Nanoseconds for one stat(2) inside the sandbox. */
  statCost?: number;
}

/** One thing that matters for running tools: user namespaces, tracing, and their like. */
export interface NodeFinding {
  what: string;
  isGood: boolean;
  /** For a person: how it is, what follows from it, and what can be done. */
  message: string;
}
