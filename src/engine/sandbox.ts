import type { Command } from '#base/command.ts';
import type { Rules } from '#base/rules.ts';
import type { GpuAccess } from './gpus.ts';

/** One process and all that it may see. Paths in it are absolute. */
export interface Sandbox {
  /** Root file system on the host; undefined means the host's own (engine `host`). */
  rootfs: string | undefined;
  /** True for a root file system under construction, which the process may change. */
  isRootfsWritable?: boolean;
  binds: Bind[];
  /** Inside. */
  cwd: string;
  /** The whole environment inside; nothing of the caller's is added. */
  env: Record<string, string>;
  argv: string[];
  /** False: no network but loopback. */
  network: boolean;
  /** Looks like this user to itself; undefined keeps the caller's ids. */
  user?: { uid: number; gid: number };
  /** Kernel release that `uname` tells inside, where the image's libc needs one newer than the host's. */
  kernelRelease?: string;
  /** Undefined: it sees none. */
  gpus?: GpuAccess;
}

export interface Bind {
  host: string;
  guest: string;
  /** Read-only is kept so by the kernel, or checked after the process: see {@link Engine.rules}. */
  writable: boolean;
}

/** Where the static programs of the kit lie on this host; undefined where the kit has none for it. */
export interface Tools {
  proot: string;
  /** PRoot's loader, for temporary directories that are mounted noexec. */
  prootLoader?: string;
  /** Sets the seccomp filter (escape guard, network) and then executes the rest of its arguments. */
  launcher: string;
  /** Static sandbox for nodes with user namespaces. */
  userns?: string;
}

/** A way to run a {@link Sandbox}. It says the command, it runs nothing. */
export interface Engine {
  name: string;
  /** For a person: why it was taken on this node; undefined where nothing was tested. */
  why?: string;
  /** Who sees to the rules in it; those that are `checked` are for its caller to check. */
  rules: Required<Rules>;
  /** What its user must know before anything is run in it; undefined for what is a sandbox. */
  warning?: string;
  /**
   * Where on the host the root of a process lies that was planned with this `temporary`, if the process can come to see
   * that path, and those of its binds, in the place of its own.
   */
  findRoot?(temporary: string): string;
  /** The engine that runs this sandbox in its place; undefined where it does so itself. */
  findSubstitute?(sandbox: Sandbox): Engine | undefined;
  /**
   * Stands in front of a program that starts processes, so that they have no network but the loopback device that they
   * share: then each of them is planned with `isOffline`. Undefined where that saves nothing.
   */
  offlineFront?: string[];
  /**
   * `temporary`: a directory of this process alone, on the host, for the engine's own use. `isTerminal`: its streams are
   * those of a terminal.
   */
  planCommand(sandbox: Sandbox, temporary: string, options?: { isOffline?: boolean; isTerminal?: boolean }): Command;
  /**
   * Ends what a command that was planned with this `temporary` runs; fails where nothing runs any more. Undefined where
   * it ends with the command itself.
   */
  planEnd?(temporary: string): Command;
}
