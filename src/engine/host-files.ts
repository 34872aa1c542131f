import type { Bind } from './sandbox.ts';

/** Devices that every program may use; no others of the host are shown. */
export const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map(name => `/dev/${name}`);

/** What the launcher's `--devices` makes in the engine's temporary folder, to be bound as `/dev` (native/launcher.c). */
export const deviceFolder: { name: string; links: Record<string, string>; files: string[]; empty: string } = {
  name: 'dev',
  links: { fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2' },
  files: devices.map(path => path.slice('/dev/'.length)),
  empty: 'shm',
};

/** Processors and memory, which some programs count (hwloc, OpenMP, Java). */
export const topology = '/sys/devices/system';

/**
 * Files of the host that a sandbox needs to know its network: `/etc/hosts` for the name `localhost`, and the name
 * servers only where there is a network to ask them over. A bind of the caller's to the same place wins. The host may
 * lack them.
 */
export function planNetworkFiles(network: boolean, binds: readonly Bind[]): Bind[] {
  const files = network ? ['/etc/hosts', '/etc/resolv.conf'] : ['/etc/hosts'];
  return files
    .filter(path => !binds.some(bind => bind.guest === path))
    .map(path => ({ host: path, guest: path, writable: false }));
}
