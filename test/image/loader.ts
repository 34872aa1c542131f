// The helper as a command that loads archives, each into a store of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '#image/remove-tree.ts';
import { readTree } from './rootfs.ts';

export const helper = join(import.meta.dirname, '../../dist/helper.cjs');

export interface Loaded {
  code: number | null;
  stderr: string;
  reference?: string;
  digest?: string;
  rootfs: string;
  config?: Record<string, unknown>;
  tree: Record<string, string>;
}

/** `run` checks as well that a failure leaves nothing in the store, and that nothing temporary is ever left. */
export function makeLoader() {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-archives-'));
  let count = 0;
  function run(args: string[], input?: Buffer, store = join(folder, `store${count++}`)): Loaded {
    const result = spawnSync(process.execPath, [helper, 'image', ...args, '--image-store', store, '--json'], { input });
    const stderr = String(result.stderr);
    const left = ['temporary', 'rootfs/v1', 'references'].flatMap(name => list(join(store, name)));
    if (result.status !== 0) assert.deepEqual(left, [], stderr);
    assert.deepEqual(list(join(store, 'temporary')), []);
    const made = result.status === 0 ? JSON.parse(String(result.stdout))[0] : undefined;
    return { code: result.status, stderr, ...made, tree: made ? readTree(made.rootfs) : {} };
  }
  return { folder, run, remove: () => removeTree(folder) };
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
