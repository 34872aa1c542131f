import type { Command } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import { nameGpus } from './gpus.ts';
import type { Bind, Engine, Sandbox } from './sandbox.ts';

/** Apptainer, or the Singularity that it was, and how it is to be used on this host. */
export interface ApptainerClient {
  /** Its path. */
  program: string;
  name: 'apptainer' | 'singularity';
  /** The client's own environment. */
  env: Record<string, string>;
}

/** Apptainer runs the root file system where it lies, read-only, and ends with its process group. */
export function makeApptainerEngine(client: ApptainerClient): Engine {
  return {
    name: client.name,
    // An input that is the standard input can be opened again from there, past the bind that is read-only.
    rules: { network: 'kernel', writes: 'kernel', inputs: 'checked', rootfs: 'kernel' },
    planCommand: (sandbox, temporary) => planExec(client, sandbox, temporary),
  };
}

function planExec(client: ApptainerClient, sandbox: Sandbox, temporary: string): Command {
  const { rootfs, network, cwd, argv } = sandbox;
  if (rootfs === undefined) throw new Failure('engine/no-image', `${client.name} runs nothing without an image`);
  checkSandbox(client.name, sandbox);
  const { HOME: home, ...others } = sandbox.env;
  const atHome = sandbox.binds.find(bind => bind.guest === home);
  const binds = sandbox.binds.filter(bind => bind !== atHome);
  const prefix = client.name === 'apptainer' ? 'APPTAINERENV_' : 'SINGULARITYENV_';
  const variables = Object.entries({ ...others, ...planGpus(sandbox) }).map(([name, value]) => [prefix + name, value]);
  return {
    argv: [
      client.program,
      ...['--silent', 'exec', '--containall', '--cleanenv', '--no-privs', '--no-eval'],
      // A first process of its own could be traced by the tool, and would then never end.
      '--no-init',
      ...['--no-mount', 'tmp,bind-paths,hostfs'],
      ...(network ? [] : ['--net', '--network', 'none']),
      ...(sandbox.gpus ? ['--nv'] : []),
      // It lets nobody set HOME by a variable.
      ...(atHome ? ['--home', `${atHome.host}:${atHome.guest}`] : ['--no-home']),
      ...binds.flatMap(planBind),
      ...['--pwd', cwd, rootfs, ...argv],
    ],
    env: { ...Object.fromEntries(variables), ...client.env },
    cwd: temporary,
  };
}

/** `--nv` binds the driver's libraries, but only the start files of its own images tell the loader where they are. */
function planGpus(sandbox: Sandbox): Record<string, string> {
  if (!sandbox.gpus) return {};
  const own = sandbox.env.LD_LIBRARY_PATH;
  return { LD_LIBRARY_PATH: `${libraryFolder}${own ? `:${own}` : ''}`, ...nameGpus(sandbox) };
}

const libraryFolder = '/.singularity.d/libs';

function checkSandbox(name: string, { isRootfsWritable, kernelRelease, env, binds, user }: Sandbox): void {
  const hint = 'Use --engine proot.';
  if (isRootfsWritable) throw new Failure('engine/read-only', `${name} keeps the root file system read-only`, { hint });
  if (user) throw new Failure('engine/user', `${name} keeps the ids of the caller`, { hint });
  if (kernelRelease !== undefined) {
    throw new Failure('engine/kernel-too-old', `the image needs Linux ${kernelRelease}, which ${name} cannot pretend`, {
      hint: 'Use --engine proot, which can.',
    });
  }
  const atHome = binds.find(bind => bind.guest === env.HOME);
  if (env.HOME !== undefined && (!atHome?.writable || /[:,]/.test(atHome.host + atHome.guest))) {
    throw new Failure('engine/home', `${name} can't make ${env.HOME} the home directory`, {
      hint: 'Leave HOME out of EnvVarRequirement, and colons and commas out of the paths of the run.',
    });
  }
}

/** `--bind` has no way to write a colon or a comma; `--mount`, which older ones have not, reads a line of CSV. */
function planBind({ host, guest, writable }: Bind): string[] {
  if (!/[:,"\n]/.test(host + guest)) return ['--bind', `${host}:${guest}:${writable ? 'rw' : 'ro'}`];
  const fields = ['type=bind', `source=${host}`, `destination=${guest}`, ...(writable ? [] : ['ro'])];
  return ['--mount', fields.map(field => `"${field.replaceAll('"', '""')}"`).join(',')];
}
