import { Failure } from '#base/failure.ts';
import { nameGpus } from './gpus.ts';
import type { Engine } from './sandbox.ts';

/**
 * No sandbox: the process runs on the host, as the user asked. It has no view of its own, so a sandbox for it has
 * `guest` equal to `host` in every bind that matters, and an image is refused. The network is as the host has it
 * (CWL v1.2, NetworkAccess: without it a tool must not *assume* a network).
 */
export const hostEngine: Engine = {
  name: 'host',
  rules: { network: 'open', writes: 'open', inputs: 'checked', rootfs: 'open' },
  planCommand(sandbox) {
    if (sandbox.rootfs !== undefined) {
      throw new Failure('engine/no-container', 'the engine "host" runs no image', {
        hint: 'Use --engine auto, or remove the DockerRequirement.',
      });
    }
    return { argv: [...sandbox.argv], env: { ...sandbox.env, ...nameGpus(sandbox) }, cwd: sandbox.cwd };
  },
};
