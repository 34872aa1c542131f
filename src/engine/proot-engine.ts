import type { Command } from '#base/command.ts';
import { bindGpus } from './gpus.ts';
import { devices, planNetworkFiles, topology } from './host-files.ts';
import { planOfflineFront } from './offline-front.ts';
import type { Bind, Engine, Sandbox, Tools } from './sandbox.ts';

export interface ProotOptions {
  /** False: PRoot stops at every system call, for kernels that refuse its seccomp filter; about fifty times slower. */
  acceleration: boolean;
  /**
   * True for kernels that report system calls to a tracer as Linux 4.8 does although they are older: RHEL 7.8 and its
   * like. PRoot itself goes by the version.
   */
  newOrder?: boolean;
  /** True where the kernel gives network namespaces to users. */
  networkNamespaces: boolean;
  /** Version of the kernel's Landlock (the launcher's `--features`), which keeps the guest inside its binds; 0: none. */
  landlock: number;
}

/**
 * PRoot, behind the launcher's escape guard. It rewrites the paths of system calls and so needs no right but ptrace.
 * It also refuses what would change a read-only bind or the image, as far as a look before the kernel's can; where the
 * kernel has Landlock, the launcher has the kernel refuse all other writing, and reading what is not bound.
 */
export function makeProotEngine(tools: Tools, options: ProotOptions): Engine {
  return {
    name: options.acceleration ? (options.newOrder ? 'proot-new-order' : 'proot') : 'proot-slow',
    // Version 2 cannot forbid truncate(2). Without Landlock a link that is exchanged in time leads out of the binds.
    rules:
      options.landlock >= 3
        ? { network: 'kernel', writes: 'kernel', inputs: 'kernel', rootfs: 'kernel' }
        : { network: 'kernel', writes: 'open', inputs: 'checked', rootfs: 'checked' },
    ...(options.networkNamespaces && { offlineFront: planOfflineFront(tools) }),
    planCommand: (sandbox, temporary, { isOffline = false } = {}) =>
      planProot(bindGpus(sandbox), temporary, tools, { ...options, isOffline }),
  };
}

function planProot(
  sandbox: Sandbox,
  temporary: string,
  tools: Tools,
  options: ProotOptions & { isOffline: boolean },
): Command {
  const rootfs = sandbox.rootfs ?? '/';
  const networkFiles = planNetworkFiles(sandbox.network, sandbox.binds);
  const own: Bind[] = [
    { host: `${temporary}/dev`, guest: '/dev', writable: true },
    ...devices.map(path => ({ host: path, guest: path, writable: true })),
    // Processes are looked up there by nearly every runtime. PRoot shows only those of the guest.
    { host: '/proc', guest: '/proc', writable: true },
    { host: topology, guest: topology, writable: false },
    ...networkFiles,
  ];
  const binds = [...own, ...sandbox.binds];
  const argv = [tools.launcher, '--die-with-parent', '--devices', `${temporary}/dev`];
  if (!sandbox.network && !options.isOffline) argv.push('--no-network');
  if (!options.acceleration) argv.push('--no-32-bit');
  // Version 1 forbids to rename from one directory into another: the launcher does not use it.
  if (options.landlock >= 2) argv.push(...planLandlock(sandbox, temporary, tools, binds));
  argv.push('--', tools.proot, '-r', rootfs, ...binds.flatMap(bind => ['-b', formatBind(bind)]));
  argv.push('-w', sandbox.cwd, '--kill-on-exit');
  if (sandbox.user) argv.push(...formatUser(sandbox.user));
  if (sandbox.kernelRelease) argv.push('-k', sandbox.kernelRelease);
  argv.push('--', ...sandbox.argv);
  return { argv, env: { ...sandbox.env, ...planEnvironment(sandbox, temporary, tools, options) }, cwd: temporary };
}

function planLandlock(sandbox: Sandbox, temporary: string, tools: Tools, binds: readonly Bind[]): string[] {
  const own = [tools.proot, tools.prootLoader].filter(path => path !== undefined);
  return [
    ...own.flatMap(path => ['--read', path]),
    ...[sandbox.isRootfsWritable ? '--write' : '--read', sandbox.rootfs ?? '/', '--write', temporary],
    ...binds.flatMap(bind => [bind.writable ? '--write' : '--read', bind.host]),
  ];
}

/** PRoot keeps these to itself: the guest does not see them. */
function planEnvironment(
  { isRootfsWritable }: Sandbox,
  temporary: string,
  tools: Tools,
  options: ProotOptions,
): Record<string, string> {
  return {
    PROOT_TMP_DIR: temporary,
    // A missing bind point is made in the temporary directory, not in the rootfs.
    PROOT_DONT_POLLUTE_ROOTFS: '1',
    PROOT_IGNORE_MISSING_BINDINGS: '1',
    ...(tools.prootLoader ? { PROOT_LOADER: tools.prootLoader } : {}),
    ...(options.acceleration ? {} : { PROOT_NO_SECCOMP: '1' }),
    ...(options.newOrder ? { PROOT_NEW_SECCOMP: '1' } : {}),
    ...(isRootfsWritable ? {} : { PROOT_READ_ONLY: '1' }),
  };
}

/**
 * `//:` is the separator that our PRoot knows for paths with a colon, `//!:` the one for what must not be changed; a final
 * `!` is an order to it unless doubled.
 */
function formatBind({ host, guest, writable }: Bind): string {
  return `${host}${writable ? '//:' : '//!:'}${guest.endsWith('!') ? `${guest}!` : guest}`;
}

function formatUser({ uid, gid }: { uid: number; gid: number }): string[] {
  return uid === 0 && gid === 0 ? ['-0'] : ['-i', `${uid}:${gid}`];
}
