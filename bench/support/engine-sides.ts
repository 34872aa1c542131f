// The ways in which the engines' benchmark runs one and the same program, each as the unprivileged user.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '#base/command.ts';
import { makeDockerEngine } from '#engine/docker-engine.ts';
import type { Engine } from '#engine/sandbox.ts';
import { planFeatures } from '#engine/self-test.ts';
import { findFakechroot } from '#helper/fakechroot-client.ts';
import { makeEngines } from '#helper/self-test.ts';
import { makeFolder, needPackages } from '../../test/support/machine.ts';
import { openPodman } from '../../test/support/podman.ts';
import type { Place } from '../../test/support/sandbox.ts';

export interface Side {
  name: string;
  /** `argv` in the image, with the working directory `/w`. */
  plan(argv: string[]): Command;
  /** Runs as root, and gives up its rights by itself. */
  asRoot?: boolean;
  /** The folder that each run must find empty. */
  temporary?: string;
  /** What the start of this engine is held against: the same kernel's work with nothing of ours. */
  bare?: string;
  /** What it is for, if not for all. */
  only?: 'start' | 'work';
}

/** What the programs are given, in every side. */
const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/w', TMPDIR: '/tmp' };

/**
 * All sides that run here, native first, and why others do not. `rootfs` is a Debian with a directory `/w`, where all see
 * `work`.
 */
export async function openSides(
  place: Place,
  rootfs: string,
  work: string,
): Promise<{ sides: Side[]; absent: Map<string, string>; remove(): void }> {
  const { user, tools } = place;
  const absent = new Map<string, string>();
  let podmanFolder: ReturnType<typeof makeFolder> | undefined;
  const query = planFeatures(tools.launcher);
  const features = query.parse({ ...(await place.run(query)), exit: { code: 0, signal: null } });
  const sides: Side[] = [...planNative(place, rootfs, work), ...planBare(place, rootfs)];
  for (const engine of makeEngines(tools, features).filter(each => each.name !== 'proot-new-order')) {
    const bare = engine.name === 'userns' ? 'bare userns' : 'bare proot';
    sides.push({ ...toSide(engine, engine.name), ...(engine.name !== 'proot-slow' && { bare }) });
    if (engine.offlineFront && engine.name !== 'proot-slow') {
      sides.push({ ...toSide(engine, `${engine.name}, offline`, { isOffline: true }), bare, only: 'start' as const });
    }
  }
  await attempt('fakechroot', async () => {
    needPackages('fakechroot');
    const { engine, tested } = await findFakechroot({
      tools,
      folder: place.makeFolder('fakechroot'),
      command: undefined,
    });
    if (!engine) throw new Error(tested.map(each => each.message).join('; '));
    return toSide(engine, 'fakechroot', { root: await engine.prepare?.(rootfs, new AbortController().signal) });
  });
  await attempt('podman', async () => {
    // A longer path than its monitor's sockets can have makes each container wait for twenty seconds.
    podmanFolder = makeFolder(user, 'cwl-');
    const env = { PATH: '/usr/bin:/bin:/usr/sbin', ...(await openPodman(user, podmanFolder.path)) };
    const client = { program: '/usr/bin/podman', name: 'podman', isKnown: true, isPodman: true, isInPlace: true, env };
    return toSide(makeDockerEngine({ ...client, userns: 'keep-id' }), 'podman');
  });
  await attempt('ch-run', async () => {
    needPackages('charliecloud');
    const variables = Object.entries(environment).map(([name, value]) => `--set-env=${name}=${value}`);
    const own = ['--no-passwd', '--private-tmp', '--cd=/w', `--bind=${work}:/w`, '--unset-env=*', ...variables];
    const env = { ...environment, USER: user.name, HOME: user.home };
    return { name: 'ch-run', plan: argv => ({ argv: ['/usr/bin/ch-run', ...own, rootfs, '--', ...argv], env }) };
  });
  return { sides, absent, remove: () => podmanFolder?.remove() };

  async function attempt(name: string, open: () => Promise<Side>): Promise<void> {
    try {
      const side = await open();
      const { code, stdout, stderr } = await place.run(side.plan(['/bin/sh', '-c', 'echo $PWD; id -u']));
      empty(side);
      const seen = `${stdout.trim().replaceAll('\n', ' ')} ${stderr.trim().split('\n').at(-1)}`;
      if (code !== 0 || !seen.startsWith(`/w ${user.uid}`)) throw new Error(`a first run ended with ${code}: ${seen}`);
      sides.push(side);
    } catch (error) {
      absent.set(name, (error as Error).message.split('\n')[0] as string);
    }
  }

  function toSide(engine: Engine, name: string, { root = rootfs, isOffline = false } = {}): Side {
    const folder = `engine-${name.replaceAll(/\W+/g, '-')}`;
    const temporary = place.makeFolder(folder);
    const binds = [
      { host: work, guest: '/w', writable: true },
      { host: place.makeFolder(`${folder}-tmp`), guest: '/tmp', writable: true },
    ];
    const sandbox = { rootfs: root, binds, cwd: '/w', env: environment, network: false };
    return { name, temporary, plan: argv => engine.planCommand({ ...sandbox, argv }, temporary, { isOffline }) };
  }
}

/** The same programs, in the same root by chroot(1), which takes root and so time at the start. */
function planNative({ user }: Place, rootfs: string, work: string): Side[] {
  const enter = `mount --bind "$1" "$0/w" && exec chroot --userspec=${user.uid}:${user.gid} "$0" sh -c 'cd /w && exec "$@"' "$@"`;
  const front = ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', enter, rootfs, work];
  const env = { ...environment, PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
  return [
    { name: 'native', only: 'work', asRoot: true, plan: argv => ({ argv: [...front, ...argv], env }) },
    {
      name: 'native',
      only: 'start',
      plan: ([file, ...args]) => ({ argv: [rootfs + file, ...args], env: environment }),
    },
  ];
}

/** The engines' own mechanisms, with nothing bound and nothing kept from the program. */
function planBare(place: Place, rootfs: string): Side[] {
  const { tools } = place;
  const temporary = place.makeFolder('engine-bare');
  const env = { ...environment, PROOT_TMP_DIR: temporary, PROOT_LOADER: tools.prootLoader as string };
  const start = (name: string, front: string[]): Side => ({
    name,
    only: 'start' as const,
    plan: argv => ({ argv: [...front, ...argv], env, cwd: '/' }),
  });
  return [
    start('bare userns', ['/usr/bin/unshare', '--user', '--map-root-user', '/usr/sbin/chroot', rootfs]),
    start('bare proot', [tools.proot, '-r', rootfs]),
  ];
}

/** Makes the engine's own folder what the next run must find. */
export function empty({ temporary }: Side): void {
  if (temporary === undefined) return;
  for (const name of readdirSync(temporary)) rmSync(join(temporary, name), { recursive: true, force: true });
}
