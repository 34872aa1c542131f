import { type Context, evaluateString } from '#cwl/expression.ts';
import { findRequirement, type Requirements } from '#cwl/requirements.ts';
import type { Image } from '#image/image.ts';

/** Of containers whose image sets none, as the OCI runtimes have it. */
const containerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The environment of a task, made from nothing (CWL v1.2, CommandLineTool §Runtime environment): the image's variables,
 * HOME, TMPDIR, PATH, then EnvVarRequirement. `hostPath` is for tools without an image.
 */
export function buildEnvironment(
  requirements: Requirements,
  context: Context,
  options: { image: Image | undefined; outdir: string; tmpdir: string; hostPath: string | undefined },
): Record<string, string> {
  const { image, outdir, tmpdir, hostPath } = options;
  const environment: Record<string, string> = {
    PATH: (image ? undefined : hostPath) || containerPath,
    ...image?.config.env,
    HOME: outdir,
    TMPDIR: tmpdir,
  };
  const requirement = findRequirement(requirements, 'EnvVarRequirement');
  for (const { envName, envValue } of requirement?.envDef ?? []) {
    environment[envName] = evaluateString(envValue, context, {
      place: requirement!.place,
      what: `the variable ${envName}`,
    });
  }
  return environment;
}
