// What a node with NVIDIA GPUs has installed, as files below a folder: a library that a compiler made, device files that are
// /dev/null's, and a program that answers as nvidia-smi does.
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFiles } from '../../support/files.ts';
import { run } from '../../support/machine.ts';

export const version = '550.54.14';
export const gpus = [
  { id: 'GPU-0aaaaaaa-0000-4000-8000-000000000000', name: 'NVIDIA A100-SXM4-40GB', capability: '8.0' },
  { id: 'GPU-1bbbbbbb-0000-4000-8000-000000000000', name: 'NVIDIA A100-SXM4-40GB', capability: '8.0' },
  { id: 'GPU-2ccccccc-0000-4000-8000-000000000000', name: 'Tesla T4', capability: '7.5' },
];

/** What an administrator installs: libraries, their cache, programs, devices, and what the kernel module tells. */
export function makeDriver(place: string): void {
  const libraries = join(place, 'usr/lib64');
  const module = join(place, 'proc/driver/nvidia');
  for (const path of [libraries, module, ...['usr/bin', 'etc', 'dev'].map(name => join(place, name))]) {
    mkdirSync(path, { recursive: true });
  }
  const source = join(import.meta.dirname, 'libcuda.c');
  run('gcc', ['-shared', '-fPIC', '-Wl,-soname,libcuda.so.1', '-o', join(libraries, `libcuda.so.${version}`), source]);
  symlinkSync(`libcuda.so.${version}`, join(libraries, 'libcuda.so.1'));
  for (const name of [
    'libnvidia-ml.so.1',
    'libnvidia-ml.so.470.42.01',
    'libnvidia-gtk3.so.550.54.14',
    'libother.so.1',
  ]) {
    cpSync(join(libraries, `libcuda.so.${version}`), join(libraries, name));
  }
  // A 32-bit library is of no use.
  const narrow = readFileSync(join(libraries, 'libnvidia-ml.so.1'));
  narrow[4] = 1;
  writeFileSync(join(libraries, 'libnvidia-opencl.so.1'), narrow);
  for (const [name, minor] of [
    ['nvidiactl', 3],
    ['nvidia-uvm', 3],
    ['nvidia0', 3],
    ['nvidia1', 3],
    ['nvidia2', 3],
  ] as const) {
    run('mknod', ['-m', '666', join(place, 'dev', name), 'c', '1', String(minor)]);
  }
  writeFileSync(
    join(module, 'version'),
    `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Thu Feb 22 01:44:30 UTC 2024\nGCC version:  gcc version 12\n`,
  );
  for (const [minor, { id, name }] of gpus.entries()) {
    writeFiles(module, {
      [`gpus/0000:0${minor}:00.0/information`]: `Model: \t\t ${name}\nIRQ:   \t\t 1\nGPU UUID: \t ${id}\nDevice Minor: \t ${minor}\n`,
    });
  }
  writeSmi(place, gpus.map((gpu, minor) => describeGpu(gpu, minor)).join(''));
}

export const describeGpu = ({ id, name }: (typeof gpus)[number], minor: number, mig = 'Disabled') =>
  `<gpu id="00000000:0${minor}:00.0"><product_name>${name}</product_name><mig_mode><current_mig>${mig}</current_mig></mig_mode><uuid>${id}</uuid><minor_number>${minor}</minor_number></gpu>\n`;

export function writeSmi(place: string, xml: string, list = ''): void {
  const capabilities = gpus.map(gpu => `${gpu.id}, ${gpu.capability}`).join('\n');
  const own = gpus.map((gpu, at) => `GPU ${at}: ${gpu.name} (UUID: ${gpu.id})`).join('\n');
  const path = join(place, 'usr/bin/nvidia-smi');
  writeFileSync(
    path,
    `#!/bin/sh
case "$*" in
"-q -x") cat <<'X'
<nvidia_smi_log><driver_version>${version}</driver_version><cuda_version>12.4</cuda_version>
${xml}</nvidia_smi_log>
X
;;
--query-gpu=uuid,compute_cap*) printf '%s\\n' '${capabilities}' ;;
-L) printf '%s\\n' '${list || own}' ;;
*) exit 2 ;;
esac
`,
  );
  chmodSync(path, 0o755);
}
