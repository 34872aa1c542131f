// Tools on GPUs, on a machine that has none: a driver's folder tree with a library that a compiler made, device files that
// are /dev/null's, and a program that answers as nvidia-smi does stand for the equipment of a node. All else is real: the
// search for them, and sandboxes in which a tool of an image loads the library and opens the devices.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findGpus } from '#helper/gpu-node.ts';
import { writeFiles } from '../support/files.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, run } from '../support/machine.ts';
import { openPodman } from '../support/podman.ts';
import { Layer } from '../support/tar.ts';
import { describeGpu, gpus, makeDriver, version, writeSmi } from './gpu/driver.ts';

const skip = isRoot ? false : 'only root can make device files';
const [first, second, third] = gpus.map(gpu => gpu.id) as [string, string, string];

let helper: InstalledHelper;
let folder: string;
let root: string;
let podman: Record<string, string> | string = 'not tried';

const tool = (requirements: string, body: string) => `cwlVersion: v1.2
$namespaces: {cwltool: "http://commonwl.org/cwltool#"}
class: CommandLineTool
${requirements}
baseCommand: [sh, -c]
${body}
stdout: said.txt
outputs: {said: {type: string, outputBinding: {glob: said.txt, loadContents: true, outputEval: "$(self[0].contents)"}}}
`;
const image = 'DockerRequirement: {dockerLoad: image}';
const cuda = (more = '', versionMin = '11.4', capability = '"7.5"') =>
  `cwltool:CUDARequirement: {cudaVersionMin: "${versionMin}", cudaComputeCapability: ${capability}${more}}`;

before(async () => {
  if (skip) return;
  const user = findUser();
  helper = await installHelper(user);
  folder = join(helper.folder, 'documents');
  root = join(helper.folder, 'driver');
  makeDriver(root);
  try {
    podman = await openPodman(user, join(helper.folder, 'podman'));
  } catch (error) {
    podman = (error as Error).message;
  }
  mkdirSync(folder);
  writeLayout(join(folder, 'image'), { 'local/gpu:1': busyboxImage({ layers: [makeToolLayer()] }) });
  const look = `inputs: []
arguments:
  - |
    gpu-tool
    ls /dev | grep nvidia
    nvidia-smi -L | head -n 1
    [ -d /sys/bus/pci/devices ] && ls -d /sys/devices/system
    (echo x >> /gpu/libcuda.so.1) 2>/dev/null && echo wrote
    echo n=$(runtime.cudaDeviceCount)`;
  const blind = 'inputs: []\narguments:\n  - gpu-tool; ls /dev | grep nvidia; ls -d /gpu 2>/dev/null; true';
  writeFiles(folder, {
    'look.cwl': tool(`requirements: {${image}, ${cuda()}}`, look),
    'two.cwl': tool(`requirements: {${image}, ${cuda(', cudaDeviceCountMax: 2')}}`, look),
    'blind.cwl': tool(`requirements: {${image}}`, blind),
    'hint.cwl': tool(`requirements: {${image}}\nhints: {${cuda('', '13.9')}}`, blind),
    'new.cwl': tool(`requirements: {${image}, ${cuda('', '12.10')}}`, blind),
    'exact.cwl': tool(`requirements: {${image}, ${cuda('', '12.4', '["7.5", "9.0"]')}}`, look),
    'fast.cwl': tool(`requirements: {${image}, ${cuda('', '12.4', '"9.0"')}}`, look),
    'many.cwl': tool(`requirements: {${image}, ${cuda(', cudaDeviceCountMin: 4')}}`, look),
    'bare.cwl': tool(
      `requirements: {${cuda()}}`,
      'inputs: []\narguments:\n  - echo $CUDA_VISIBLE_DEVICES n=$(runtime.cudaDeviceCount)',
    ),
    'wait.cwl': tool(
      `requirements: {${image}, ${cuda('', '12.4', '"8.0"')}}`,
      'inputs: {n: int}\narguments: [gpu-tool 300]',
    ),
    'scatter.cwl': `cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {n: "int[]"}
outputs: {said: {type: "string[]", outputSource: use/said}}
steps: {use: {run: wait.cwl, scatter: n, in: {n: n}, out: [said]}}
`,
    'n.yml': 'n: [1, 2, 3, 4]\n',
  });
  spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, folder, root]);
});
after(() => helper?.remove());

/** A program that is linked to the C library of its image, as those on GPUs are. */
function makeToolLayer(): Layer {
  const program = join(helper.folder, 'gpu-tool');
  run('gcc', ['-o', program, join(import.meta.dirname, 'gpu/tool.c'), '-ldl']);
  const layer = new Layer().file('bin/gpu-tool', readFileSync(program), 0o755);
  for (const [, path] of run('ldd', [program]).matchAll(/(\/\S+) \(0x/g)) {
    layer.file((path as string).slice(1), readFileSync(path as string), 0o755);
  }
  return layer;
}

async function start(engine: string, document: string, env: Record<string, string> = {}, inputs: string[] = []) {
  const [outdir, logs] = ['out', 'logs'].map(name => join(folder, `${name}-${engine}-${document}`)) as [string, string];
  const options = ['run', '--engine', engine, '--outdir', outdir, '--log-dir', logs, '--quiet'];
  const own = { ...(typeof podman === 'string' ? {} : podman), NVIDIA_DRIVER_ROOT: root, ...env };
  const result = await helper.run([...options, document, ...inputs], { cwd: folder, env: own });
  const journal = () => readFileSync(join(logs, 'journal.jsonl'), 'utf8');
  return { ...result, journal, said: result.code === 0 ? JSON.parse(result.stdout).said : undefined };
}

for (const engine of ['userns', 'proot', 'podman']) {
  const absent = () => (engine === 'podman' && typeof podman === 'string' ? podman : undefined);

  test(`${engine}: a tool loads the driver of the node and opens the devices that it has got`, { skip }, async t => {
    if (absent()) return t.skip(absent());
    const { code, stderr, said, journal } = await start(engine, 'look.cwl');
    assert.equal(code, 0, stderr);
    const [found, ...others] = said.trim().split('\n');
    assert.match(found, new RegExp(`^0 12040 1 ${first} `), 'one GPU is asked for, and no other can be opened');
    const hardware = existsSync('/sys/bus/pci') ? ['/sys/devices/system'] : [];
    assert.deepEqual(others, [
      'nvidia-uvm',
      'nvidia0',
      'nvidiactl',
      `GPU 0: ${gpus[0]?.name} (UUID: ${first})`,
      ...hardware,
      'n=1',
    ]);
    assert.ok(journal().includes(`"gpus":["${first}"]`), 'the record says which');
    const two = await start(engine, 'two.cwl');
    assert.match(two.said, new RegExp(`^0 12040 2 ${first},${second} `));
  });

  test(`${engine}: a tool that does not ask for a GPU sees nothing of it`, { skip }, async t => {
    if (absent()) return t.skip(absent());
    const { code, stderr, said } = await start(engine, 'blind.cwl', { CUDA_VISIBLE_DEVICES: '0' });
    assert.equal(code, 0, stderr);
    assert.match(said, /^-1 0 -1 - [\d.]+ [\d.]+\n$/);
  });
}

test('what is required is checked, and the message says what is missing and what to do', { skip }, async () => {
  const old = await start('proot', 'new.cwl');
  assert.equal(old.code, 1);
  assert.match(
    old.stderr,
    /new\.cwl:\d+:\d+: CUDARequirement is not met on \S+: the tool needs CUDA 12\.10, .* CUDA 12\.4/,
  );
  assert.match(old.stderr, /submit the run as a job to a partition with GPUs/);
  const slow = await start('proot', 'fast.cwl');
  assert.match(slow.stderr, /compute capability 9\.0 or more, and NVIDIA A100-SXM4-40GB has 8\.0, Tesla T4 has 7\.5/);
  const few = await start('proot', 'many.cwl');
  assert.match(few.stderr, /the tool needs 4 GPUs, and 3 GPUs can be used here/);
  const exact = await start('proot', 'exact.cwl');
  assert.match(exact.said, new RegExp(`^0 12040 1 ${third} `), 'a list names all that will do');
  const none = await start('proot', 'look.cwl', { NVIDIA_DRIVER_ROOT: '/' });
  assert.match(none.stderr, /there is no NVIDIA GPU, or no driver for it/);
});

test('a hint that is not met is a note', { skip }, async () => {
  const { code, stderr, said } = await start('proot', 'hint.cwl');
  assert.equal(code, 0, stderr);
  assert.match(stderr, /main: runs without a GPU, as CUDARequirement is a hint .* CUDA 13\.9/);
  assert.match(said, /^-1 0 -1 - /);
});

test('the GPUs of the batch job are those that are used, on the bare host too', { skip }, async () => {
  const job = await start('host', 'bare.cwl', { CUDA_VISIBLE_DEVICES: '2,1' });
  assert.equal(job.said, `${third} n=1\n`);
  const inside = await start('proot', 'look.cwl', { CUDA_VISIBLE_DEVICES: second.slice(0, 8) });
  assert.match(inside.said, new RegExp(`^0 12040 1 ${second} `));
  const none = await start('host', 'bare.cwl', { CUDA_VISIBLE_DEVICES: 'NoDevFiles' });
  assert.match(none.stderr, /this job has got none of them \(CUDA_VISIBLE_DEVICES is "NoDevFiles"\)/);
});

test('tasks that run at a time never have the same GPU', { skip }, async () => {
  const { code, stderr, said } = await start('userns', 'scatter.cwl', {}, ['n.yml']);
  assert.equal(code, 0, stderr);
  const uses = (said as string[]).map(line => {
    const [, , devices, id, from, to] = line.trim().split(' ');
    assert.equal(devices, '1');
    return { id, from: Number(from), to: Number(to) };
  });
  assert.equal(uses.length, 4);
  for (const [at, a] of uses.entries()) {
    assert.ok([first, second].includes(a.id as string), 'the third is too old');
    for (const b of uses.slice(at + 1))
      assert.ok(a.id !== b.id || a.to <= b.from || b.to <= a.from, JSON.stringify(uses));
  }
});

test('docker run --gpus gives them as Docker does', { skip }, async () => {
  assert.equal((await helper.run(['image', 'load', 'image', '--json'], { cwd: folder })).code, 0);
  const docker = (...args: string[]) =>
    helper.run(['docker', 'run', '--rm', ...args, 'local/gpu:1', 'gpu-tool'], { env: { NVIDIA_DRIVER_ROOT: root } });
  assert.match((await docker('--gpus=1')).stdout, new RegExp(`^0 12040 1 ${first} `));
  assert.match((await docker('--gpus', 'all')).stdout, new RegExp(`^0 12040 3 ${first},${second},${third} `));
  assert.match((await docker('--gpus', `"device=2,${second}"`)).stdout, new RegExp(`^0 12040 2 ${third},${second} `));
  assert.match((await docker()).stdout, /^-1 0 -1 - /);
  const many = await docker('--gpus=4');
  assert.equal(many.code, 125);
  assert.match(many.stderr, /of the 4 GPUs asked for, there are 3/);
});

test('the driver is found by the cache of the loader, and without nvidia-smi', { skip }, async () => {
  const place = join(helper.folder, 'bare-driver');
  makeDriver(place);
  const names = async () =>
    (await findGpus({ root: place })).files
      .map(each => each.guest)
      .filter(name => !name.startsWith('/sys/'))
      .sort();
  assert.deepEqual(await names(), [
    'libcuda.so',
    'libcuda.so.1',
    `libcuda.so.${version}`,
    'libnvidia-ml.so.1',
    'nvidia-smi',
  ]);
  // Where only the cache knows the folder.
  const other = join(place, 'opt/driver');
  mkdirSync(join(place, 'opt'));
  cpSync(join(place, 'usr/lib64'), other, { recursive: true, verbatimSymlinks: true });
  rmSync(join(place, 'usr/lib64'), { recursive: true });
  assert.match((await findGpus({ root: place })).missing ?? '', /libcuda\.so\.1 .* is neither in the loader's cache/);
  writeFileSync(join(place, 'etc/ld.so.conf'), '/opt/driver\n');
  run('/sbin/ldconfig', ['-r', place]);
  const cached = await findGpus({ root: place });
  assert.ok(cached.files.some(each => each.guest === 'libcuda.so.1' && each.host.startsWith(other)));

  rmSync(join(place, 'usr/bin/nvidia-smi'));
  const bare = await findGpus({ root: place });
  assert.equal(bare.missing, undefined);
  assert.equal(bare.cudaVersion, '12.4');
  assert.deepEqual(
    bare.gpus.map(({ id, name, capability }) => ({ id, name, capability })),
    gpus,
  );
  rmSync(join(place, 'dev/nvidia-uvm'));
  assert.match((await findGpus({ root: place })).missing ?? '', /\/dev\/nvidia-uvm is not there; an administrator/);
  // The driver's own program makes the device, as it does for every user.
  const modprobe = join(place, 'usr/bin/nvidia-modprobe');
  writeFileSync(modprobe, `#!/bin/sh\n[ "$*" = "-u -c 0" ] && /bin/mknod -m 666 ${place}/dev/nvidia-uvm c 1 3\n`);
  chmodSync(modprobe, 0o755);
  assert.equal((await findGpus({ root: place })).missing, undefined);
});

test('parts of a GPU are given one by one', { skip }, async () => {
  const place = join(helper.folder, 'parted');
  makeDriver(place);
  const parts = ['MIG-aaaa0000-1111-5222-8333-444444444444', 'MIG-bbbb0000-1111-5222-8333-444444444444'];
  const list = `GPU 0: NVIDIA A100-SXM4-40GB (UUID: ${first})\n  MIG 3g.20gb Device 0: (UUID: ${parts[0]})\n  MIG 3g.20gb Device 1: (UUID: ${parts[1]})`;
  writeSmi(place, describeGpu(gpus[0]!, 0, 'Enabled') + describeGpu(gpus[1]!, 1), list);
  assert.deepEqual(
    (await findGpus({ root: place })).gpus.map(gpu => gpu.id),
    [...parts, second],
  );
  const { gpus: own } = await findGpus({ root: place, visible: parts[1] });
  assert.deepEqual(
    own.map(gpu => [gpu.id, gpu.device.guest]),
    [[parts[1], '/dev/nvidia0']],
  );
  assert.deepEqual(
    (await findGpus({ root: place, visible: '1,7,0' })).gpus.map(gpu => gpu.id),
    [second],
  );
});
