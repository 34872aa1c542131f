import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import { explainClient } from '#engine/self-test.ts';

/**
 * Gives a root file system to a client of containers that can't run it where it lies, unless it has it already: a stream
 * of `tar` into `import`. Throws a Failure `engine/import`.
 */
export async function importRootfs(
  { look, make }: { look: Command; make: Command },
  rootfs: string,
  signal: AbortSignal,
): Promise<void> {
  if ((await run(look, undefined, signal)).code === 0) return;
  // Owners are the caller's here, and root's in images.
  const owners = ['--numeric-owner', '--owner=0', '--group=0'];
  const tar = spawn('tar', ['-C', rootfs, ...owners, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(tar, 'close').catch(cause =>
    Promise.reject(new Failure('engine/import', 'tar could not be started', { cause })),
  );
  let complaint = '';
  tar.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-2000)));
  const [client, [code]] = await Promise.all([run(make, tar.stdout, signal), ended]).catch(error => {
    tar.kill('SIGKILL');
    throw error;
  });
  if (client.code !== 0) throw fail(rootfs, explainClient(client.stderr));
  if (code !== 0) throw fail(rootfs, complaint.trim());
}

function fail(rootfs: string, why: string): Failure {
  return new Failure('engine/import', `${rootfs} could not be made an image: ${why}`);
}

function run(
  { argv, env, cwd }: Command,
  input: NodeJS.ReadableStream | undefined,
  signal: AbortSignal,
): Promise<{ code: number | null; stderr: string }> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { env, cwd, signal, stdio: ['pipe', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4000)));
  // A client that does not read to the end says why.
  child.stdin.on('error', () => input?.resume());
  if (input) input.pipe(child.stdin);
  else child.stdin.end();
  return new Promise((resolve, reject) => {
    child.on('error', cause => reject(new Failure('engine/import', `${file} did not get to its end`, { cause })));
    child.on('close', code => resolve({ code, stderr }));
  });
}
