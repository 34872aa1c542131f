/**
 * Who sees to it that a rule is kept: the kernel, which refuses what breaks it; this program, which looks after the step
 * and fails it; or nobody.
 */
export type Guard = 'kernel' | 'checked' | 'open';

/** What a tool must not do (CWL v1.2, CommandLineTool), and who sees to it. */
export interface Rules {
  /** No network unless NetworkAccess grants it; absent where it does. */
  network?: Guard;
  /** No write outside of the working directory and the temporary directories. */
  writes: Guard;
  /** Inputs stay as they were. */
  inputs: Guard;
  /** The image's root file system, which tools share, stays as it was. */
  rootfs: Guard;
}
