import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHostTests } from '../support/host-tests.ts';

test('the suite passes inside a VS Code that is downloaded', async () => {
  assert.match(await runHostTests(), /^7 passed, 0 failed$/m);
});
