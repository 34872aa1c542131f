// The demo's documents are a model for users' own: nothing may be said against them.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { loadProcess } from '#cwl/load.ts';

const root = join(import.meta.dirname, '..', '..');
const reader = { read: (uri: string) => readFile(new URL(uri), 'utf8') };

for (const path of globSync(['demo/**/*.cwl', 'bench/cases/*.cwl'], { cwd: root }).sort()) {
  test(`${path} has no problems`, async () => {
    const { process, problems } = await loadProcess(pathToFileURL(join(root, path)).href, { reader });
    assert.deepEqual(problems, []);
    assert.ok(process?.label);
  });
}
