import { writeSync } from 'node:fs';
import { Failure } from '#base/failure.ts';

/**
 * Writes all of `text` before it returns: the process may exit right after. A reader of stdout that has gone away
 * (EPIPE) ends the process quietly, as it ends other programs in a pipeline; nobody need read stderr. Cheaper to start
 * than `process.stdout`.
 */
export function writeFully(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EINTR') continue;
      // The other side made the pipe non-blocking and is slow to read: wait a little.
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (descriptor === 2) return;
      else if (code === 'EPIPE') process.exit(141);
      else throw new Failure('helper/output', 'the standard output could not be written', { cause: error });
    }
  }
}
