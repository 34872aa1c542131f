import { join } from 'node:path';
import { listNames, readText } from './quiet-files.ts';
import { ask } from './self-test.ts';

/** What the NVIDIA driver tells of a GPU. */
export interface DriverGpu {
  id: string;
  name: string;
  capability: string | undefined;
  /** N of `/dev/nvidiaN`. */
  minor: number;
  /** UUIDs of the parts into which it is divided (MIG); none where it is used as a whole. */
  parts: string[];
}

/** The driver and what it says of its GPUs, in the order of their numbers. */
export interface DriverReport {
  cudaVersion: string | undefined;
  gpus: DriverGpu[];
  /** Why nvidia-smi told nothing. */
  trouble?: string;
}

/** Without persistence mode the driver starts each GPU anew for a question, milliseconds. */
const patience = 60_000;

/** The version of the kernel module whose files are in `proc`; undefined where none is loaded. */
export function readDriverVersion(proc: string): string | undefined {
  const text = readText(join(proc, 'driver/nvidia/version'));
  return /Kernel Module\b.*?\s(\d+\.\d+(?:\.\d+)?)\s/.exec(text)?.[1];
}

/** Asks `nvidia-smi`, and where there is none, or it fails, the kernel module itself. */
export async function askDriver(proc: string, smi: string | undefined, version: string): Promise<DriverReport> {
  const answer = smi === undefined ? { trouble: 'there is no nvidia-smi' } : await askSmi(smi);
  if (!('trouble' in answer)) return { ...answer, cudaVersion: answer.cudaVersion ?? toCudaVersion(version) };
  return { cudaVersion: toCudaVersion(version), gpus: readKernelGpus(proc), trouble: answer.trouble };
}

async function askSmi(smi: string): Promise<DriverReport | { trouble: string }> {
  const run = (...args: string[]) =>
    ask({ argv: [smi, ...args], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, parse: answer => answer }, patience);
  const all = await run('-q', '-x');
  if (all.exit.code !== 0) return { trouble: `nvidia-smi: ${lastLine(all.stdout + all.stderr)}` };
  const capabilities = parseCapabilities((await run('--query-gpu=uuid,compute_cap', '--format=csv,noheader')).stdout);
  const report = parseSmi(all.stdout, capabilities);
  if (!/<current_mig>Enabled</.test(all.stdout)) return report;
  const parts = parseParts((await run('-L')).stdout);
  return { ...report, gpus: report.gpus.map(gpu => ({ ...gpu, parts: parts.get(gpu.id) ?? [] })) };
}

/** `nvidia-smi -q -x`: each `<gpu id="BUS">` has flat elements. */
function parseSmi(xml: string, capabilities: ReadonlyMap<string, string>): DriverReport {
  const find = (text: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]?.trim();
  const gpus = [...xml.matchAll(/<gpu id="[^"]*">(.*?)<\/gpu>/gs)].flatMap(([, text = '']) => {
    const [id, name = 'GPU', minor] = ['uuid', 'product_name', 'minor_number'].map(each => find(text, each));
    if (!id || !/^\d+$/.test(minor ?? '')) return [];
    return [{ id, name, capability: capabilities.get(id) ?? knowCapability(name), minor: Number(minor), parts: [] }];
  });
  const cudaVersion = find(xml, 'cuda_version');
  return { cudaVersion: /^\d+\.\d+$/.test(cudaVersion ?? '') ? cudaVersion : undefined, gpus };
}

/** `GPU-..., 8.6`; drivers before 510 know no such question. */
function parseCapabilities(csv: string): Map<string, string> {
  return new Map([...csv.matchAll(/^(GPU-[\w-]+), (\d+\.\d+)\s*$/gm)].map(([, id, value]) => [id!, value!]));
}

/** `nvidia-smi -L`: a line for each GPU, and below it, indented, one for each part. */
function parseParts(text: string): Map<string, string[]> {
  const parts = new Map<string, string[]>();
  let own: string[] = [];
  for (const [, kind, id] of text.matchAll(/^\s*(GPU|MIG)\b.*\(UUID: ([\w/-]+)\)/gm)) {
    if (kind === 'MIG') own.push(id!);
    else {
      own = [];
      parts.set(id!, own);
    }
  }
  return parts;
}

/** A file for each GPU in `/proc/driver/nvidia/gpus/BUS/information`. */
function readKernelGpus(proc: string): DriverGpu[] {
  const folder = join(proc, 'driver/nvidia/gpus');
  const gpus = listNames(folder).flatMap(bus => {
    const text = readText(join(folder, bus, 'information'));
    const find = (name: string) => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(text)?.[1];
    const [id = '', name = 'GPU', minor = ''] = [find('GPU UUID'), find('Model'), find('Device Minor')];
    // The UUID is all question marks until the driver has started the GPU once.
    if (!/^GPU-[0-9a-f-]+$/.test(id) || !/^\d+$/.test(minor)) return [];
    return [{ id, name, capability: knowCapability(name), minor: Number(minor), parts: [] }];
  });
  return gpus.sort((a, b) => a.minor - b.minor);
}

/** GPUs that run under drivers which do not tell their capability (developer.nvidia.com/cuda-gpus, and its legacy list). */
const models: [RegExp, string][] = [
  [/\bK80\b/, '3.7'],
  [/\bK[24]0/, '3.5'],
  [/\bM(?:4|6|10|40|60)\b/, '5.2'],
  [/\bP100\b/, '6.0'],
  [/\bP(?:4|6|40)\b|GTX 10\d\d|Quadro P\d000/, '6.1'],
  [/V100|TITAN V\b|GV100/, '7.0'],
  [/\bT4\b|RTX 20\d\d|Quadro RTX|TITAN RTX|\bT4G\b/, '7.5'],
  [/A100|A30\b/, '8.0'],
  [/\bA(?:10|16|40|2)G?\b|RTX 30\d\d|RTX A\d000/, '8.6'],
];

function knowCapability(name: string): string | undefined {
  return models.find(([model]) => model.test(name))?.[1];
}

/** The first driver for each CUDA (CUDA Toolkit Release Notes, table of driver versions), newest first. */
const drivers: [string, number, number][] = [
  ['13.0', 580, 65],
  ['12.9', 575, 51],
  ['12.8', 570, 26],
  ['12.6', 560, 28],
  ['12.5', 555, 42],
  ['12.4', 550, 54],
  ['12.3', 545, 23],
  ['12.2', 535, 54],
  ['12.1', 530, 30],
  ['12.0', 525, 60],
  ['11.8', 520, 61],
  ['11.7', 515, 43],
  ['11.6', 510, 39],
  ['11.5', 495, 29],
  ['11.4', 470, 42],
  ['11.3', 465, 19],
  ['11.2', 460, 27],
  ['11.1', 455, 23],
  ['11.0', 450, 36],
  ['10.2', 440, 33],
  ['10.1', 418, 39],
  ['10.0', 410, 48],
  ['9.2', 396, 26],
  ['9.1', 390, 46],
  ['9.0', 384, 81],
  ['8.0', 367, 48],
];

function toCudaVersion(driver: string): string | undefined {
  const [major = 0, minor = 0] = driver.split('.').map(Number);
  return drivers.find(each => major > each[1] || (major === each[1] && minor >= each[2]))?.[0];
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'ended without a word';
}
