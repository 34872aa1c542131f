import { existsSync } from 'node:fs';
import { findPaths } from '#cwl/file-value.ts';
import type { Value } from '#cwl/model.ts';
import { toLocalPath } from '#cwl/uri.ts';

/** True where all files of earlier outputs are still there. */
export function hasFiles(outputs: Record<string, Value>): boolean {
  return findPaths(outputs).every(value => {
    const path = value.location === undefined ? undefined : toLocalPath(value.location);
    return path === undefined || existsSync(path);
  });
}
