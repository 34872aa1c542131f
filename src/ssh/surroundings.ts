import { readdirSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import type { Surroundings } from './config.ts';

/** The machine that this process runs on. */
export function findSurroundings(): Surroundings {
  return {
    home: homedir(),
    localUser: findLocalUser(),
    environment: process.env,
    readFile(path) {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return undefined;
      }
    },
    listFolder(path) {
      try {
        return readdirSync(path);
      } catch {
        return [];
      }
    },
  };
}

function findLocalUser(): string {
  try {
    return userInfo().username;
  } catch {
    // Accounts without an entry in the password database.
    return process.env.USER ?? process.env.USERNAME ?? '';
  }
}
