// The reference runner, as Debian has it: that of sid in a root of its own, and that of this machine's release.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRoot, needPackages, run, type User } from '../../test/support/machine.ts';
import type { Side } from './measure.ts';

export interface Cwltool {
  version: string;
  /** `documents` is a folder with all that is run; `%` in a word is the number of the run. */
  plan(name: string, args: string[]): Side;
}

const keep = join(import.meta.dirname, '../../build/bench');

/**
 * The cwltool of Debian sid, whose Python this release has not: unpacked below `scratch`, where `chroot` starts it as
 * the user. Undefined, with the reason on standard output, where it can't be had.
 */
export function openSidCwltool(user: User, scratch: string, documents: string): Cwltool | undefined {
  const archive = join(keep, 'sid-cwltool.tar');
  try {
    if (!isRoot) throw new Error('only root can start it in its own root');
    if (!existsSync(archive)) {
      needPackages('mmdebstrap');
      mkdirSync(keep, { recursive: true });
      // A mirror that is no longer renewed still has the packages.
      const options = [
        '--quiet',
        '--variant=minbase',
        '--include=cwltool,nodejs',
        '--aptopt=Acquire::Check-Valid-Until "false"',
      ];
      run('mmdebstrap', [...options, 'sid', `${archive}.part.tar`]);
      renameSync(`${archive}.part.tar`, archive);
    }
    const root = join(scratch, 'sid');
    mkdirSync(root);
    chmodSync(root, 0o755);
    run('tar', ['xf', archive, '-C', root, '--exclude=./usr/share/doc', '--exclude=./usr/share/locale']);
    cpSync(documents, join(root, 'bench'), { recursive: true });
    chmodSync(join(root, 'bench'), 0o777);
    // It looks at its processes in /proc, which is mounted in a mount namespace of this run alone.
    const enter = `mount -t proc proc "$0/proc" && exec /usr/sbin/chroot --userspec=${user.uid}:${user.gid} "$0" "$@"`;
    const front = ['unshare', '--mount', 'sh', '-c', enter, root, 'env', 'HOME=/tmp', 'TMPDIR=/tmp', 'cwltool'];
    const version =
      spawnSync('/usr/sbin/chroot', [root, 'cwltool', '--version'], { encoding: 'utf8' })
        .stdout.trim()
        .split(' ')
        .at(-1) ?? '';
    const place = (word: string) => word.replace(documents, '/bench');
    return {
      version,
      plan: (name, args) => ({
        name,
        asRoot: true,
        argv: [...front, '--quiet', '--outdir', '/bench/out-%', ...args.map(place)],
      }),
    };
  } catch (error) {
    console.log(`left out: cwltool of Debian sid (${(error as Error).message.split('\n')[0]})`);
    return undefined;
  }
}

/** The cwltool of this release. */
export function openCwltool(documents: string): Cwltool | undefined {
  try {
    needPackages('cwltool', 'python3-setuptools');
    const version =
      spawnSync('/usr/bin/cwltool', ['--version'], { encoding: 'utf8' }).stdout.trim().split(' ').at(-1) ?? '';
    const outdir = join(dirname(documents), 'cwltool-out-%');
    return {
      version,
      plan: (name, args) => ({ name, argv: ['/usr/bin/cwltool', '--quiet', '--outdir', outdir, ...args] }),
    };
  } catch (error) {
    console.log(`left out: cwltool (${(error as Error).message})`);
    return undefined;
  }
}
