import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Failure } from '#base/failure.ts';
import type { Engine, Sandbox } from '#engine/sandbox.ts';

/**
 * Runs a sandbox on the caller's terminal; its exit status is that of the process inside. Throws a Failure
 * `shell/spawn` where it can't be started.
 */
export function runSandbox(engine: Engine, sandbox: Sandbox, temporary: string, signal: AbortSignal): Promise<number> {
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  const { argv, env, cwd } = engine.planCommand(sandbox, temporary, { isTerminal });
  const [file = '', ...args] = argv;
  // The terminal sends its signals to the process inside, too, and that decides.
  process.on('SIGINT', () => {});
  process.on('SIGQUIT', () => {});
  const child = spawn(file, args, { env, cwd, stdio: 'inherit' });
  const end = engine.planEnd?.(temporary);
  const stop = () => {
    if (signal.reason?.message === 'SIGINT') return;
    child.kill('SIGHUP');
    // A container's first process may not listen to it.
    if (end) spawn(end.argv[0] as string, end.argv.slice(1), { env: end.env, stdio: 'ignore' }).on('error', () => {});
  };
  signal.addEventListener('abort', stop, { once: true });
  return new Promise((resolve, reject) => {
    child.on('error', error => reject(new Failure('shell/spawn', `${file} could not be started`, { cause: error })));
    child.on('exit', (code, name) => resolve(code ?? 128 + (name ? constants.signals[name] : 0)));
  });
}
