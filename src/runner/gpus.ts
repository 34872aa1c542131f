import { hostname } from 'node:os';
import { Failure } from '#base/failure.ts';
import { type CudaRequest, evaluateCuda } from '#cwl/cuda.ts';
import { type Context, formatPlace } from '#cwl/expression.ts';
import type { DriverFile, GpuAccess } from '#engine/gpus.ts';
import type { RunState, Scope } from './run-state.ts';

/** One GPU, or one part of a GPU that is shared out in parts (MIG). */
export interface Gpu {
  /** Its UUID. */
  id: string;
  /** `NVIDIA A100-SXM4-80GB`. */
  name: string;
  /** Compute capability, `8.0`; undefined where nothing tells it. */
  capability: string | undefined;
  device: DriverFile;
}

/** The GPUs of this node that this process may use, and the driver that goes with them. */
export interface GpuNode {
  gpus: Gpu[];
  /** The newest CUDA that the driver can do, `12.4`; undefined where nothing tells it. */
  cudaVersion: string | undefined;
  /** Devices of the driver itself. */
  devices: DriverFile[];
  /** Its libraries and programs, and what the kernel tells of the hardware. */
  files: DriverFile[];
  /** What is missing, for a person; where it is set, no GPU can be used. */
  missing?: string;
}

/** GPUs that a task is to get: so many of these. */
export interface GpuGrant {
  count: number;
  among: string[];
  node: GpuNode | undefined;
}

const cure =
  'Run it on a node with such a GPU: on a cluster, submit the run as a job to a partition with GPUs and ask for one (Slurm: --gres=gpu:1). Move CUDARequirement to hints if the tool can do without.';

/**
 * What CUDARequirement asks for, looked for on this node; undefined where the tool gets no GPU. Throws a Failure `runner/gpu`
 * that says what is missing where it is required; for a hint that is a note in the log.
 */
export async function grantGpus(run: RunState, scope: Scope, context: Context): Promise<GpuGrant | undefined> {
  const request = evaluateCuda(scope.requirements, context);
  if (!request) return undefined;
  if (request.devices.max === 0) return { count: 0, among: [], node: undefined };
  const node = await run.loadGpus();
  const found = matchGpus(request, node);
  if (typeof found !== 'string') {
    const unknown = node.gpus.filter(gpu => found.includes(gpu.id) && gpu.capability === undefined);
    if (unknown.length > 0) {
      run.warnOnce(
        `${scope.step}: the driver does not tell the compute capability of ${unknown[0]?.name}; it is used nevertheless.`,
      );
    }
    return { count: Math.min(request.devices.max, found.length), among: found, node };
  }
  if (request.isRequired) {
    const where = formatPlace(request.place);
    throw new Failure('runner/gpu', `${where}: CUDARequirement is not met on ${hostname()}: ${found}`, { hint: cure });
  }
  run.warnOnce(
    `${scope.step}: runs without a GPU, as CUDARequirement is a hint and not met on ${hostname()}: ${found}`,
  );
  return undefined;
}

/** For the sandbox of a task that has got these. */
export function toAccess(node: GpuNode | undefined, ids: readonly string[]): GpuAccess | undefined {
  if (!node || ids.length === 0) return undefined;
  const own = new Map(node.gpus.filter(gpu => ids.includes(gpu.id)).map(gpu => [gpu.device.guest, gpu.device]));
  return { ids: [...ids], devices: [...node.devices, ...own.values()], files: node.files };
}

/** The ids of those that will do, or why there are too few. */
function matchGpus({ versionMin, capability, devices }: CudaRequest, node: GpuNode): string[] | string {
  if (node.missing !== undefined) return node.missing;
  if (node.cudaVersion !== undefined && compareVersions(node.cudaVersion, versionMin) < 0) {
    return `the tool needs CUDA ${versionMin}, and the NVIDIA driver here can do CUDA ${node.cudaVersion} at most`;
  }
  const fits = (own: string | undefined): boolean => {
    if (own === undefined) return true;
    if (typeof capability === 'string') return compareVersions(own, capability) >= 0;
    return capability.some(each => compareVersions(own, each) === 0);
  };
  const fitting = node.gpus.filter(gpu => fits(gpu.capability));
  if (fitting.length >= devices.min) return fitting.map(gpu => gpu.id);
  const others = node.gpus.filter(gpu => !fitting.includes(gpu)).map(gpu => `${gpu.name} has ${gpu.capability}`);
  if (others.length === 0) {
    return `the tool needs ${count(devices.min)}, and ${count(node.gpus.length)} can be used here`;
  }
  const wanted = typeof capability === 'string' ? `${capability} or more` : capability.join(' or ');
  return `the tool needs ${count(devices.min)} of compute capability ${wanted}, and ${[...new Set(others)].join(', ')}`;
}

function count(number: number): string {
  return number === 1 ? '1 GPU' : `${number === 0 ? 'no' : number} GPUs`;
}

/** By their numbers: 11.10 is newer than 11.9. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map(text => text.split('.').map(Number));
  for (let at = 0; at < Math.max(left!.length, right!.length); at++) {
    const difference = (left![at] ?? 0) - (right![at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
