import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { DriverFile } from '#engine/gpus.ts';
import type { Gpu, GpuNode } from '#runner/gpus.ts';
import { askDriver, type DriverGpu, readDriverVersion } from './gpu-driver.ts';
import { findLibraries, findPrograms } from './gpu-libraries.ts';
import { listNames } from './quiet-files.ts';
import { ask } from './self-test.ts';

export interface GpuSurroundings {
  /**
   * NVIDIA_DRIVER_ROOT: where the driver is installed if not in `/`. Its devices, and what its kernel module tells in
   * `/proc`, are looked for there first.
   */
  root?: string;
  /** CUDA_VISIBLE_DEVICES of the batch job; undefined where nobody has set it. */
  visible?: string;
}

const programs = ['nvidia-smi', 'nvidia-debugdump', 'nvidia-cuda-mps-control', 'nvidia-cuda-mps-server'];
/** Where programs on several GPUs (NCCL, UCX) look how these are connected. */
const hardware = ['bus/pci', 'class/pci_bus', 'devices'];
/** Devices of the driver that each process needs besides those of its GPUs; `nvidia-caps` is a folder, for parts of GPUs. */
const ownDevices = /^nvidia(?:ctl|-uvm|-uvm-tools|-modeset|-caps|-caps-imex-channels)$/;

/** Looks for the NVIDIA driver and for the GPUs of this node that this process may use. */
export async function findGpus({ root = '/', visible }: GpuSurroundings): Promise<GpuNode> {
  const none = { gpus: [], cudaVersion: undefined, devices: [], files: [] };
  const choose = (folder: string, file: string) =>
    existsSync(join(root, folder, file)) ? join(root, folder) : `/${folder}`;
  const [proc, dev] = [choose('proc', 'driver/nvidia/version'), choose('dev', 'nvidiactl')];
  const sys = choose('sys', 'bus/pci');
  const version = readDriverVersion(proc);
  if (version === undefined) {
    return { ...none, missing: 'there is no NVIDIA GPU, or no driver for it (no /proc/driver/nvidia/version)' };
  }
  const tools = findPrograms(root, [...programs, 'nvidia-modprobe']);
  const find = (name: string) => tools.find(each => each.guest === name)?.host;
  await makeMemoryDevice(dev, find('nvidia-modprobe'));
  const report = await askDriver(proc, find('nvidia-smi'), version);
  const names = listNames(dev);
  const toDevice = (name: string): DriverFile => ({ host: join(dev, name), guest: `/dev/${name}` });
  const files = [
    ...findLibraries(root, version),
    ...tools.filter(each => programs.includes(each.guest)),
    ...hardware.map(name => ({ host: join(sys, name), guest: `/sys/${name}` })).filter(each => existsSync(each.host)),
  ];
  const usable = report.gpus.filter(gpu => canOpen(toDevice(`nvidia${gpu.minor}`).host));
  const units = usable.flatMap(gpu => toUnits(gpu, toDevice(`nvidia${gpu.minor}`)));
  const gpus = selectVisible(units, usable, visible);
  return {
    gpus,
    cudaVersion: report.cudaVersion,
    devices: names.filter(name => ownDevices.test(name)).map(toDevice),
    files,
    missing: findMissing(),
  };

  function findMissing(): string | undefined {
    if (report.gpus.length === 0) {
      return `the NVIDIA driver ${version} is there, and tells of no GPU${report.trouble ? ` (${report.trouble})` : ''}`;
    }
    if (usable.length === 0) {
      return `there are GPUs (${report.gpus[0]?.name}), and this user or job may not open ${toDevice(`nvidia${report.gpus[0]?.minor}`).guest}`;
    }
    if (gpus.length === 0)
      return `there are GPUs, and this job has got none of them (CUDA_VISIBLE_DEVICES is "${visible}")`;
    const device = ['nvidiactl', 'nvidia-uvm'].find(name => !names.includes(name));
    if (device !== undefined) {
      return `the driver's device /dev/${device} is not there; an administrator makes it by \`nvidia-modprobe -u -c 0\``;
    }
    if (!files.some(each => each.guest === 'libcuda.so.1')) {
      return `there are GPUs, and libcuda.so.1 of the NVIDIA driver ${version} is neither in the loader's cache nor in a usual folder`;
    }
    return undefined;
  }
}

/** The driver loads a part of itself only when it is first used, by a program with rights that a sandbox has not. */
async function makeMemoryDevice(dev: string, modprobe: string | undefined): Promise<void> {
  if (modprobe === undefined || listNames(dev).includes('nvidia-uvm')) return;
  await ask({ argv: [modprobe, '-u', '-c', '0'], env: {}, parse: () => undefined });
}

/** A GPU that is divided can only be used by its parts. */
function toUnits(gpu: DriverGpu, device: DriverFile): Gpu[] {
  const { name, capability } = gpu;
  return (gpu.parts.length > 0 ? gpu.parts : [gpu.id]).map(id => ({ id, name, capability, device }));
}

/**
 * Those that CUDA_VISIBLE_DEVICES names, in its order: numbers of GPUs, beginnings of UUIDs, and the first name that fits
 * nothing ends the list (CUDA C++ Programming Guide, CUDA Environment Variables). Batch systems count as nvidia-smi does,
 * not as CUDA, which may begin with the fastest.
 */
function selectVisible(units: readonly Gpu[], whole: readonly DriverGpu[], visible: string | undefined): Gpu[] {
  if (visible === undefined) return [...units];
  const chosen: Gpu[] = [];
  for (const word of visible.split(',').map(each => each.trim())) {
    const gpu = /^\d+$/.test(word) ? whole[Number(word)] : undefined;
    const isMeant = (unit: Gpu) =>
      gpu ? unit.id === gpu.id || gpu.parts.includes(unit.id) : /^(?:GPU|MIG)-/.test(word) && unit.id.startsWith(word);
    const meant = units.filter(isMeant);
    if (meant.length === 0) break;
    chosen.push(...meant.filter(unit => !chosen.includes(unit)));
  }
  return chosen;
}

/** The rights of the file do not tell: control groups of a job may forbid it all the same. */
function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, 'r+'));
    return true;
  } catch {
    return false;
  }
}
