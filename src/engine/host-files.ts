import type { Bind } from './sandbox.ts';

/** Devices that every program may use; no others of the host are shown. */
export const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map(name => `/dev/${name}`);

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
