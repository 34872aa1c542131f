import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { Failure } from '#base/failure.ts';
import { toBytes } from './tree.ts';

// As Linux (path_resolution(7)).
const mostLinks = 40;

/**
 * What a path means to a process whose root is `root`: links are followed inside of it, `..` stops there. Relative to
 * `root`, latin1, without a leading slash; what is not there yet is taken as it stands. `lastLink` false leaves a link
 * in the last component alone.
 */
export function resolveInside(root: string, path: string, lastLink = true): string {
  const todo = path.split('/').reverse();
  const done: string[] = [];
  let links = 0;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = `${root}/${[...done, part].join('/')}`;
    const isLast = todo.every(each => each === '' || each === '.');
    const stat = isLast && !lastLink ? undefined : lstatSync(toBytes(here), { throwIfNoEntry: false });
    if (!stat?.isSymbolicLink()) {
      done.push(part);
      continue;
    }
    if (++links > mostLinks) throw new Failure('image/invalid-path', `${path} leads through links without end`);
    const target = readlinkSync(toBytes(here), 'latin1');
    if (target.startsWith('/')) done.length = 0;
    todo.push(...target.split('/').reverse());
  }
  return done.join('/');
}

/** The ids behind `USER`, `USER:GROUP` or numbers, from the rootfs's own lists; undefined for a name they lack. */
export function findUser(root: string, text: string): { uid: number; gid: number; home?: string } | undefined {
  const [user = '', group] = text.split(':');
  const users = readList(root, 'etc/passwd');
  const entry = users.find(each => each[0] === user) ?? users.find(each => each[2] === user);
  const uid = entry ? Number(entry[2]) : /^\d+$/.test(user) ? Number(user) : undefined;
  if (uid === undefined) return undefined;
  const home = entry?.[5];
  if (group === undefined) return { uid, gid: entry ? Number(entry[3]) : 0, home };
  const found = readList(root, 'etc/group').find(each => each[0] === group);
  const gid = found ? Number(found[2]) : /^\d+$/.test(group) ? Number(group) : undefined;
  return gid === undefined ? undefined : { uid, gid, home };
}

function readList(root: string, path: string): string[][] {
  try {
    const file = toBytes(`${root}/${resolveInside(root, path)}`);
    // A pipe would be waited for.
    if (!lstatSync(file).isFile()) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .map(line => line.split(':'));
  } catch {
    return [];
  }
}
