import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

// Looks at files of the host, where what can't be read is as good as absent.

/** Empty where there is none. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The names in a folder; none where there is none. */
export function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The path without symbolic links; undefined where it leads to nothing. */
export function findRealPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Without symbolic links, also where the last folders are still to be made. */
export function nearestReal(path: string): string {
  return findRealPath(path) ?? (path === '/' ? path : nearestReal(dirname(path)));
}
