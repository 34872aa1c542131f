/** What this host gives to all tasks together. Cores may be fractions; memory in mebibytes. */
export interface Capacity {
  cores: number;
  ram: number;
  /** How many tasks at most run at a time. */
  tasks: number;
}

/** What one task holds while it runs. */
export interface Grant {
  cores: number;
  ram: number;
  /** So many of these, each for this task alone. */
  devices?: { count: number; among: readonly string[] };
  /** Those of `devices` that it has got. */
  taken?: readonly string[];
}

/** A range that a task asks for; `max` is never below `min`. */
export interface Wish {
  cores: { min: number; max: number };
  ram: { min: number; max: number };
}

/**
 * What a task gets on this host: as much as it can use of what there is, whatever else runs now, so that the same
 * run gives the same numbers. A text says why it can't run here at all (CWL v1.2, ResourceRequirement: "If min
 * cannot be satisfied, the job should not be run").
 */
export function chooseGrant(wish: Wish, capacity: Capacity): Grant | string {
  if (wish.cores.min > capacity.cores)
    return `it needs ${wish.cores.min} cores, and ${capacity.cores} may be used here`;
  if (wish.ram.min > capacity.ram)
    return `it needs ${wish.ram.min} MiB of memory, and ${capacity.ram} may be used here`;
  return { cores: Math.min(wish.cores.max, capacity.cores), ram: Math.min(wish.ram.max, capacity.ram) };
}

/** True where `grant` fits beside those that run. */
export function isFree(grant: Grant, running: Iterable<Grant>, capacity: Capacity): boolean {
  let { cores, ram } = grant;
  let tasks = 1;
  for (const other of running) {
    cores += other.cores;
    ram += other.ram;
    tasks++;
  }
  // Sums of fractions such as 0.1 are a little off.
  return cores <= capacity.cores + 1e-9 && ram <= capacity.ram + 1e-9 && tasks <= capacity.tasks;
}

/** The devices that `grant` gets beside those that run; undefined where there are not enough. */
export function chooseDevices({ devices }: Grant, running: Iterable<Grant>): readonly string[] | undefined {
  if (!devices) return [];
  const taken = new Set([...running].flatMap(other => other.taken ?? []));
  const free = devices.among.filter(each => !taken.has(each));
  return free.length < devices.count ? undefined : free.slice(0, devices.count);
}
