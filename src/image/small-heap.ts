import { setFlagsFromString } from 'node:v8';

let users = 0;

/**
 * Does work that makes many small objects for long: V8 would let the part of its heap for new objects grow by more than
 * 100 MB, where a login node often leaves a user little more. Costs a few per cent of the time.
 */
export async function keepHeapSmall<T>(work: () => Promise<T>): Promise<T> {
  if (users++ === 0) setGrowth(1);
  try {
    return await work();
  } finally {
    // V8's own; compiled code that is kept for the next process is good only for the flags that that starts with.
    if (--users === 0) setGrowth(2);
  }
}

function setGrowth(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}
