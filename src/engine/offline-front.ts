import type { Tools } from './sandbox.ts';

/** Starts a program in a network namespace with nothing but the loopback device; fails where the kernel gives none. */
export function planOfflineFront(tools: Tools): string[] {
  return [tools.launcher, '--own-network', '--'];
}
