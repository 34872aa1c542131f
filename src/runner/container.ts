import { Failure } from '#base/failure.ts';
import { formatPlace } from '#cwl/expression.ts';
import { findRequirement } from '#cwl/requirements.ts';
import type { Engine } from '#engine/sandbox.ts';
import type { Image } from '#image/image.ts';
import type { DockerRequirement } from './options.ts';
import { now, type RunState, type Scope } from './run-state.ts';

/** What a tool can't do without, and this program does not offer. */
export function refuseUnsupported(scope: Scope): void {
  const requirement = scope.requirements.required.get('MPIRequirement');
  if (!requirement) return;
  throw new Failure('runner/unsupported', `${formatPlace(requirement.place)}: MPIRequirement is not supported`, {
    hint: 'Move it to hints if the tool can run without it.',
  });
}

/** What a tool runs in. */
export interface Container {
  image: Image;
  engine: Engine;
  requirement: DockerRequirement;
  /** Under requirements, not hints. */
  isRequired: boolean;
}

/** The image that the tool runs in; undefined for the host's own root. */
export async function findContainer(run: RunState, scope: Scope): Promise<Container | undefined> {
  const { loadEngine, defaultContainer } = run.options;
  const isRequired = scope.requirements.required.has('DockerRequirement');
  let requirement = findRequirement(scope.requirements, 'DockerRequirement');
  if (!loadEngine) {
    if (!requirement || !isRequired) return undefined;
    throw new Failure(
      'runner/unsupported',
      `${formatPlace(requirement.place)}: DockerRequirement is under requirements, and no container may be used`,
      {
        hint: 'Run without --no-container (or --engine host), or move DockerRequirement to hints.',
      },
    );
  }
  if (!requirement && defaultContainer !== undefined) {
    const place = {
      uri: '--default-container',
      range: { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } },
    };
    requirement = { class: 'DockerRequirement', dockerPull: defaultContainer, place };
  }
  if (!requirement) return undefined;
  if (!run.isReady(requirement)) {
    run.record({ type: 'task', time: now(), task: scope.task, step: scope.step, state: 'preparing' });
  }
  const engine = await run.loadEngine();
  return { image: await run.resolveImage(requirement), engine, requirement, isRequired };
}
