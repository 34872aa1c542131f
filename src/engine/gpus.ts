import type { Sandbox } from './sandbox.ts';

/** GPUs that one process may use, and what of the node's driver it needs for them. Paths are absolute. */
export interface GpuAccess {
  /** As CUDA_VISIBLE_DEVICES and the tools for containers name them: UUIDs of GPUs, or of parts of GPUs (MIG). */
  ids: string[];
  /** Device files: those of these GPUs, and those of the driver. */
  devices: DriverFile[];
  /**
   * Libraries and programs of the driver: they have to be those of the node's kernel module, so no image can hold them. And
   * folders in which the kernel tells how the GPUs are connected.
   */
  files: DriverFile[];
}

export interface DriverFile {
  host: string;
  /** A path, or a mere name for what can be in any folder. */
  guest: string;
}

/** Where the driver's files are inside; short, as PRoot pays for each component of a path. */
const driverFolder = '/gpu';

/**
 * The sandbox with its GPUs as ordinary binds and variables, for engines that have no way of their own to give them. The
 * driver's libraries go before those of the image, and its programs (nvidia-smi) after.
 */
export function bindGpus(sandbox: Sandbox): Sandbox {
  const { gpus, env } = sandbox;
  if (!gpus) return sandbox;
  return {
    ...sandbox,
    binds: [
      ...sandbox.binds,
      ...gpus.devices.map(({ host, guest }) => ({ host, guest, writable: true })),
      ...gpus.files.map(({ host, guest }) => ({
        host,
        guest: guest.startsWith('/') ? guest : `${driverFolder}/${guest}`,
        writable: false,
      })),
    ],
    env: {
      ...env,
      PATH: join(env.PATH, driverFolder),
      LD_LIBRARY_PATH: join(driverFolder, env.LD_LIBRARY_PATH),
      ...nameGpus(sandbox),
    },
  };
}

/** The variable by which CUDA knows which GPUs to use; nothing where the process has none. */
export function nameGpus({ gpus }: Sandbox): Record<string, string> {
  return gpus ? { CUDA_VISIBLE_DEVICES: gpus.ids.join(',') } : {};
}

/** An empty entry would be the working directory. */
function join(...paths: (string | undefined)[]): string {
  return paths.filter(path => path !== undefined && path !== '').join(':');
}
