import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeApptainerEngine } from '#engine/apptainer-engine.ts';
import { makeDockerEngine } from '#engine/docker-engine.ts';
import { makeFakechrootEngine } from '#engine/fakechroot-engine.ts';
import { hostEngine } from '#engine/host-engine.ts';
import { makeProotEngine } from '#engine/proot-engine.ts';
import type { Sandbox } from '#engine/sandbox.ts';
import { makeUsernsEngine } from '#engine/userns-engine.ts';

const sandbox: Sandbox = {
  rootfs: `/images/${'ab'.repeat(32)}/root`,
  binds: [],
  cwd: '/',
  env: { PATH: '/bin', LD_LIBRARY_PATH: '/opt/lib' },
  argv: ['tool'],
  network: false,
  gpus: {
    ids: ['GPU-1', 'GPU-2'],
    devices: [{ host: '/dev/nvidia0', guest: '/dev/nvidia0' }],
    files: [{ host: '/usr/lib/libcuda.so.550.1', guest: 'libcuda.so.1' }],
  },
};
const plain: Sandbox = { ...sandbox, gpus: undefined };

function valuesOf(argv: readonly string[], option: string, width = 1): string[] {
  return argv.flatMap((word, at) => (word === option ? [argv.slice(at + 1, at + 1 + width).join(' ')] : []));
}

test('the sandboxes of the kit bind the devices and the files of the driver', () => {
  const tools = { proot: '/k/proot', launcher: '/k/launcher', userns: '/k/userns' };
  const proot = makeProotEngine(tools, { acceleration: true, landlock: 3, networkNamespaces: false });
  const traced = proot.planCommand(sandbox, '/t');
  assert.ok(valuesOf(traced.argv, '-b').includes('/dev/nvidia0//:/dev/nvidia0'));
  assert.ok(valuesOf(traced.argv, '-b').includes('/usr/lib/libcuda.so.550.1//!:/gpu/libcuda.so.1'));
  assert.ok(valuesOf(traced.argv, '--write').includes('/dev/nvidia0'));
  assert.ok(valuesOf(traced.argv, '--read').includes('/usr/lib/libcuda.so.550.1'));
  assert.ok(!valuesOf(traced.argv, '--write').includes('/usr/lib/libcuda.so.550.1'));
  const native = makeUsernsEngine(tools).planCommand(sandbox, '/t');
  assert.deepEqual(valuesOf(native.argv, '--bind', 2), ['/dev/nvidia0 /dev/nvidia0']);
  assert.deepEqual(valuesOf(native.argv, '--bind-ro', 2), ['/usr/lib/libcuda.so.550.1 /gpu/libcuda.so.1']);
  assert.equal(native.env?.CUDA_VISIBLE_DEVICES, 'GPU-1,GPU-2');
  assert.equal(native.env?.PATH, '/bin:/gpu');
  assert.equal(native.env?.LD_LIBRARY_PATH, '/gpu:/opt/lib');
  assert.doesNotMatch(JSON.stringify(makeUsernsEngine(tools).planCommand(plain, '/t')), /nvidia|CUDA|gpu/i);
});

test('programs of the host are told to give GPUs in their own words', () => {
  const client = { program: '/usr/bin/x', name: 'docker', isInPlace: false, isKnown: true, env: {} };
  const docker = makeDockerEngine({ ...client, userns: undefined, isPodman: false, hasGpuOption: true });
  const { argv, env } = docker.planCommand(sandbox, '/t');
  assert.deepEqual(valuesOf(argv, '--gpus'), ['"device=GPU-1,GPU-2"']);
  assert.ok(!argv.join(' ').includes('/dev/nvidia0'));
  assert.equal(env?.CUDA_VISIBLE_DEVICES, 'GPU-1,GPU-2');
  assert.deepEqual(valuesOf(docker.planCommand(plain, '/t').argv, '--gpus'), []);

  const podman = makeDockerEngine({ ...client, name: 'podman', userns: 'keep-id', isPodman: true, isInPlace: true });
  const own = podman.planCommand(sandbox, '/t').argv;
  assert.deepEqual(valuesOf(own, '--device'), ['/dev/nvidia0:/dev/nvidia0']);
  assert.deepEqual(valuesOf(own, '--volume'), ['/usr/lib/libcuda.so.550.1:/gpu/libcuda.so.1:ro']);

  const apptainer = makeApptainerEngine({ program: '/usr/bin/apptainer', name: 'apptainer', env: {} });
  const planned = apptainer.planCommand(sandbox, '/t');
  assert.ok(planned.argv.includes('--nv'));
  assert.equal(planned.env?.APPTAINERENV_CUDA_VISIBLE_DEVICES, 'GPU-1,GPU-2');
  assert.equal(planned.env?.APPTAINERENV_LD_LIBRARY_PATH, '/.singularity.d/libs:/opt/lib');
  assert.ok(!apptainer.planCommand(plain, '/t').argv.includes('--nv'));

  const bare = hostEngine.planCommand({ ...sandbox, rootfs: undefined }, '/t');
  assert.deepEqual(bare.env, { ...sandbox.env, CUDA_VISIBLE_DEVICES: 'GPU-1,GPU-2' });
});

test('fakechroot refuses what needs a GPU', () => {
  const tools = { proot: '/k/proot', launcher: '/k/launcher' };
  const fakechroot = makeFakechrootEngine({ tools, library: '/lib/libfakechroot.so', landlock: 3, views: new Map() });
  assert.throws(() => fakechroot.planCommand(sandbox, '/t'), { code: 'engine/gpus', hint: /proot/ });
});
