import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it. Node's own `recursive` never returns where a parent is there and nothing can be
 * made in it with ENOENT for an answer, as in /proc or below an automounter's root.
 */
export function makeFolder(path: string): void {
  const code = tryToMake(path);
  if (code !== 'ENOENT' || dirname(path) === path) return;
  makeFolder(dirname(path));
  mkdirOrExists(path);
}

function tryToMake(path: string): string | undefined {
  try {
    mkdirOrExists(path);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return code;
    throw error;
  }
}

function mkdirOrExists(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
