/** The setting `cwl.clusters`, checked: it is written by hand. */

import type { PullRoute } from '#remote/images.ts';

/** One cluster as the user configured it. */
export interface ClusterEntry {
  name: string;
  /** `[user@]host[:port]`, or an alias of the ssh configuration. */
  host: string;
  sshConfig?: string;
  sshOptions?: Record<string, string>;
  folder?: string;
  outputFolder?: string;
  imageStore?: string;
  cache?: string;
  engine?: string;
  dockerCommand?: string;
  parallel?: number;
  mirrors?: Record<string, string>;
  pullFrom?: PullRoute;
}

/** A cluster's name is also the authority of its files' URIs. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const texts = ['sshConfig', 'folder', 'outputFolder', 'imageStore', 'cache', 'engine', 'dockerCommand'] as const;
const maps = ['sshOptions', 'mirrors'] as const;
const routes: readonly unknown[] = ['auto', 'cluster', 'local'] satisfies PullRoute[];

/** Reads the setting; what is wrong is told as one sentence per fault, and its entry left out. */
export function parseClusters(value: unknown): { clusters: ClusterEntry[]; faults: string[] } {
  const clusters: ClusterEntry[] = [];
  const faults: string[] = [];
  if (value === undefined || value === null) return { clusters, faults };
  if (!Array.isArray(value)) return { clusters, faults: ['cwl.clusters must be a list.'] };
  for (const [index, entry] of value.entries()) {
    const fault = checkEntry(entry, clusters);
    if (fault === undefined) clusters.push(copyEntry(entry as ClusterEntry));
    else faults.push(`cwl.clusters, entry ${index + 1}: ${fault}`);
  }
  return { clusters, faults };
}

/** A name for a new cluster at `host` that no other has. */
export function suggestName(host: string, taken: readonly string[]): string {
  const plain = host
    .replace(/^ssh:\/\//, '')
    .replace(/^.*@/, '')
    .replace(/:\d+$/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  const base = plain || 'cluster';
  for (let count = 1; ; count++) {
    const name = count === 1 ? base : `${base}-${count}`;
    if (checkName(name, taken) === undefined) return name;
  }
}

/** What is wrong with a cluster's name; undefined where it is good. */
export function checkName(name: string, taken: readonly string[]): string | undefined {
  if (!namePattern.test(name)) return 'A name consists of letters, digits, “.”, “_” and “-”.';
  // The authority of a URI has no case.
  const isTaken = taken.some(other => other.toLowerCase() === name.toLowerCase());
  return isTaken ? `There is a cluster “${name}” already.` : undefined;
}

function checkEntry(entry: unknown, before: readonly ClusterEntry[]): string | undefined {
  if (typeof entry !== 'object' || entry === null) return 'an object with name and host was expected.';
  const fields = entry as Record<string, unknown>;
  if (typeof fields.name !== 'string') return 'it has no name.';
  const fault = checkName(
    fields.name,
    before.map(each => each.name),
  );
  if (fault !== undefined) return fault;
  if (typeof fields.host !== 'string' || fields.host.trim() === '') return `“${fields.name}” has no host.`;
  for (const name of texts) {
    if (fields[name] !== undefined && typeof fields[name] !== 'string') return `${name} must be a text.`;
  }
  for (const name of maps) {
    const map = fields[name];
    const isMap = typeof map === 'object' && map !== null && Object.values(map).every(text => typeof text === 'string');
    if (map !== undefined && !isMap) return `${name} must be an object of texts.`;
  }
  const { parallel } = fields;
  if (parallel !== undefined && !(Number.isSafeInteger(parallel) && (parallel as number) > 0)) {
    return 'parallel must be a whole number from 1 on.';
  }
  if (fields.pullFrom !== undefined && !routes.includes(fields.pullFrom)) {
    return 'pullFrom must be auto, cluster or local.';
  }
  for (const name of ['outputFolder', 'imageStore', 'cache'] as const) {
    const path = fields[name];
    if (typeof path === 'string' && path !== '' && !path.startsWith('/')) return `${name} must be an absolute path.`;
  }
  return undefined;
}

function copyEntry(entry: ClusterEntry): ClusterEntry {
  const { name, host, parallel, pullFrom } = entry;
  const copy: ClusterEntry = {
    name,
    host: host.trim(),
    ...(parallel === undefined ? {} : { parallel }),
    ...(pullFrom === undefined ? {} : { pullFrom }),
  };
  for (const field of texts) if (entry[field]) copy[field] = entry[field];
  for (const field of maps) if (entry[field]) copy[field] = { ...entry[field] };
  return copy;
}
