import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { Failure } from '#base/failure.ts';
import { isOlder } from '#base/kernel-release.ts';
import type { RunInRootfs } from '#image/build-run.ts';
import type { Store } from '#image/store.ts';
import { selectEngine } from './engines.ts';
import { removeTree } from './remove-tree.ts';

/**
 * Runs the commands of a build under PRoot, which lets them believe that they are root and may change owners: a user
 * namespace with one user in it refuses what installers do. Nothing of the caller's environment is handed down.
 */
export function makeBuildSandbox(store: Store, engineName?: string): RunInRootfs {
  return async request => {
    const engine = await selectEngine(engineName?.startsWith('proot') ? engineName : 'proot');
    const temporary = store.temporaries.make('engine');
    mkdirSync(temporary);
    try {
      const { rootfs, argv, env, cwd, user, network, minimumKernel } = request;
      const isNewer = minimumKernel !== undefined && isOlder(release(), minimumKernel);
      const command = engine.planCommand(
        {
          rootfs,
          isRootfsWritable: true,
          binds: [...copyHostFiles(temporary), ...request.mounts],
          cwd,
          env,
          argv,
          network,
          user,
          ...(isNewer && { kernelRelease: minimumKernel }),
        },
        temporary,
      );
      return await run(command, request.signal, request.onOutput);
    } finally {
      await removeTree(temporary);
    }
  };
}

/** Copies, as installers may change them; the build's own are as the image has them. */
function copyHostFiles(temporary: string): { host: string; guest: string; writable: boolean }[] {
  return ['hosts', 'resolv.conf'].flatMap(name => {
    const host = join(temporary, name);
    try {
      writeFileSync(host, readFileSync(`/etc/${name}`));
    } catch {
      // The host has none.
      return [];
    }
    return [{ host, guest: `/etc/${name}`, writable: true }];
  });
}

function run(
  { argv, env, cwd }: { argv: string[]; env?: Record<string, string>; cwd?: string },
  signal: AbortSignal,
  onOutput: (text: string) => void,
): ReturnType<RunInRootfs> {
  const [file = '', ...args] = argv;
  // A group of its own, so that nothing of it outlives a cancellation.
  const child = spawn(file, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  for (const stream of [child.stdout, child.stderr]) {
    const decoder = new StringDecoder('utf8');
    stream.on('data', (chunk: Buffer) => onOutput(decoder.write(chunk)));
  }
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended.
    }
  };
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  return new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', cause => reject(new Failure('image/run-failed', `${file} could not be started`, { cause })));
    child.on('close', (code, name) => resolve({ code, signal: name }));
  }).finally(() => signal.removeEventListener('abort', kill));
}
