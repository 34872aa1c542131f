import { type Context, evaluateString } from '#cwl/expression.ts';
import { findRequirement, type Requirements } from '#cwl/requirements.ts';
import type { Image } from '#image/image.ts';

/** Of containers whose image sets none, as the OCI runtimes have it. */
const containerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The environment of a task, made from nothing (CWL v1.2, CommandLineTool §Runtime environment): the image's variables,
 * those that the user wants kept, HOME, TMPDIR, PATH, then EnvVarRequirement. `hostPath` is for tools without an image.
 */
export function buildEnvironment(
  requirements: Requirements,
  context: Context,
  options: {
    image: Image | undefined;
    outdir: string;
    tmpdir: string;
    hostPath: string | undefined;
    /** Variables that the user wants tools to have. */
    preserved?: Record<string, string>;
  },
): Record<string, string> {
  const { image, outdir, tmpdir, hostPath, preserved } = options;
  const { PATH: _, ...portable } = preserved ?? {};
  const environment: Record<string, string> = {
    PATH: (image ? undefined : hostPath) || containerPath,
    ...image?.config.env,
    // The host's programs are none of the image's.
    ...(image ? portable : preserved),
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
