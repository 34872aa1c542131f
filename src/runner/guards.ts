import type { Rules } from '#base/rules.ts';
import type { Image } from '#image/image.ts';
import { type Fingerprint, findChanges, takeFingerprint, takeRootFingerprint } from './protect.ts';

/** Looks at what a task must not change, where it is not the kernel that forbids it. */
export class Guards {
  readonly #inputs: Fingerprint;
  readonly #rootfs: Fingerprint;
  readonly #reference: string;

  /** To be made just before the task starts. `inputs`: paths on the host. */
  constructor(rules: Rules, inputs: readonly string[], image: Image | undefined) {
    this.#inputs = rules.inputs === 'checked' ? takeFingerprint(inputs) : new Map();
    this.#rootfs = image && rules.rootfs === 'checked' ? takeRootFingerprint(image.rootfs) : new Map();
    this.#reference = image?.reference ?? '';
  }

  /** What the task has changed, for a person, and what to do; undefined where all is as it was. */
  findViolation(): string | undefined {
    const inputs = findChanges(this.#inputs);
    if (inputs.length > 0) return `it changed its inputs, which it may only read: ${formatPaths(inputs)}`;
    const rootfs = findChanges(this.#rootfs);
    if (rootfs.length === 0) return undefined;
    const cure = `Remove it (\`image remove ${this.#reference}\`): the next run makes it anew`;
    return `the image that it shares with other tools was changed while it ran: ${formatPaths(rootfs)}. ${cure}`;
  }
}

function formatPaths(paths: readonly string[]): string {
  return `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ` and ${paths.length - 5} more` : ''}`;
}
