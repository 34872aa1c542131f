import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Where the helper keeps things on the cluster: `images/` (the image store), `runs/ID/`, `sources/` (files by SHA-256)
 * and `kit/DIGEST/` (put there by the near end). `CWL_ON_CLUSTERS_HOME` moves it.
 */
export interface Home {
  folder: string;
  images: string;
  runs: string;
  sources: string;
  /** What tools of runs that ended well have said: `logs/ID/`. */
  logs: string;
}

export function findHome(environment: NodeJS.ProcessEnv = process.env): Home {
  const folder = resolve(environment.CWL_ON_CLUSTERS_HOME || join(homedir(), '.cwl-on-clusters'));
  const place = (name: string) => join(folder, name);
  return { folder, images: place('images'), runs: place('runs'), sources: place('sources'), logs: place('logs') };
}
