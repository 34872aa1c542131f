import { release } from 'node:os';
import { Failure } from '#base/failure.ts';
import { isOlder } from '#base/kernel-release.ts';
import { buildCommandLine } from '#cwl/command-line.ts';
import { type Context, formatPlace } from '#cwl/expression.ts';
import type { CommandLineTool } from '#cwl/model.ts';
import { findRequirement, type Requirements } from '#cwl/requirements.ts';
import { evaluateNetworkAccess } from '#cwl/single-values.ts';
import type { GpuAccess } from '#engine/gpus.ts';
import type { Bind, Sandbox } from '#engine/sandbox.ts';
import type { Image } from '#image/image.ts';
import { buildEnvironment } from './environment.ts';
import type { TaskPaths } from './staging.ts';

/** All that decides, besides the tool, what a task runs in. */
interface Surroundings {
  requirements: Requirements;
  image: Image | undefined;
  paths: TaskPaths;
  /** Inputs, and what InitialWorkDirRequirement shows. */
  binds: readonly Bind[];
  gpus: GpuAccess | undefined;
  /** Variables of this process that the tool is to have. */
  environment: Record<string, string> | undefined;
}

/**
 * The command line of a task and what it may see and write (CWL v1.2, Runtime environment). Throws a Failure
 * `runner/command` for a command line that is empty.
 */
export function planSandbox(tool: CommandLineTool, context: Context, surroundings: Surroundings): Sandbox {
  const { requirements, image, paths, binds, gpus, environment } = surroundings;
  const { work, temporary, isSandboxed } = paths;
  const shell = findRequirement(requirements, 'ShellCommandRequirement') !== undefined;
  const words = buildCommandLine(tool, context, { shell });
  const argv = image ? [...image.config.entrypoint, ...(words.length === 0 ? image.config.command : words)] : words;
  if (argv.length === 0) {
    throw new Failure('runner/command', `${formatPlace(tool.place)}: the command line is empty`);
  }
  const own = [
    { ...work, writable: true },
    { ...temporary, writable: true },
    { host: temporary.host, guest: '/tmp', writable: true },
  ];
  const places = { outdir: work.guest, tmpdir: temporary.guest };
  return {
    rootfs: image?.rootfs,
    binds: isSandboxed ? [...own, ...binds] : [],
    cwd: work.guest,
    env: buildEnvironment(requirements, context, {
      image,
      ...places,
      hostPath: process.env.PATH,
      preserved: environment,
    }),
    argv,
    network: evaluateNetworkAccess(requirements, context),
    gpus,
    ...(image?.minimumKernel && isOlder(release(), image.minimumKernel) ? { kernelRelease: image.minimumKernel } : {}),
  };
}
