import type { Command } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import { bindGpus } from './gpus.ts';
import { planNetworkFiles } from './host-files.ts';
import { planOfflineFront } from './offline-front.ts';
import type { Engine, Sandbox, Tools } from './sandbox.ts';

/** User namespaces: native speed, and read-only by the kernel's word. */
export function makeUsernsEngine(tools: Tools): Engine {
  return {
    name: 'userns',
    rules: { network: 'kernel', writes: 'kernel', inputs: 'kernel', rootfs: 'kernel' },
    offlineFront: planOfflineFront(tools),
    planCommand: (sandbox, temporary, { isOffline = false } = {}) =>
      planUserns(bindGpus(sandbox), temporary, tools, isOffline),
  };
}

function planUserns(sandbox: Sandbox, temporary: string, tools: Tools, isOffline: boolean): Command {
  if (tools.userns === undefined || sandbox.rootfs === undefined) {
    throw new Failure('engine/no-userns', 'the kit has no sandbox for user namespaces', {
      hint: 'Use --engine proot.',
    });
  }
  if (sandbox.isRootfsWritable) {
    // With one user in it, a namespace refuses the changes of owner that installers make.
    throw new Failure('engine/read-only', 'user namespaces keep the root file system read-only', {
      hint: 'Use --engine proot.',
    });
  }
  if (sandbox.kernelRelease !== undefined) {
    throw new Failure(
      'engine/kernel-too-old',
      `the image needs Linux ${sandbox.kernelRelease}, which user namespaces cannot pretend`,
      { hint: 'Use --engine proot, which can.' },
    );
  }
  const argv = [tools.userns, '--die-with-parent', '--rootfs', sandbox.rootfs, '--cwd', sandbox.cwd];
  // The network of the caller is none already.
  if (sandbox.network || isOffline) argv.push('--network');
  if (sandbox.user) argv.push('--user', `${sandbox.user.uid}:${sandbox.user.gid}`);
  for (const { host, guest } of planNetworkFiles(sandbox.network, sandbox.binds)) argv.push('--bind-try', host, guest);
  // A directory before what is bound into it, or it would cover that.
  const binds = [...sandbox.binds].sort((a, b) => (a.guest < b.guest ? -1 : a.guest > b.guest ? 1 : 0));
  for (const { host, guest, writable } of binds) argv.push(writable ? '--bind' : '--bind-ro', host, guest);
  argv.push('--', ...sandbox.argv);
  return { argv, env: { ...sandbox.env }, cwd: temporary };
}
