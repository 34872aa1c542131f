import { createHash } from 'node:crypto';
import { hostname, userInfo } from 'node:os';

/**
 * Names unfinished uploads: the same for every connection from this account of this machine, so that a broken one is
 * taken up again, and another for other machines. It tells nothing about either.
 */
export function findClientName(): string {
  let user = '';
  try {
    user = userInfo().username;
  } catch {
    // An account without an entry in the password database.
  }
  return createHash('sha256').update(`${hostname()}\0${user}`).digest('hex').slice(0, 12);
}
