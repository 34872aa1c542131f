import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installCodeServer, noCodeServer } from '../support/code-server.ts';
import { makeCodeShim, runHostTests } from '../support/host-tests.ts';

test('the suite passes inside the extension host', { skip: noCodeServer ?? false }, async () => {
  await installCodeServer();
  const { program, remove } = makeCodeShim();
  try {
    assert.match(await runHostTests(program), /^7 passed, 0 failed$/m);
  } finally {
    remove();
  }
});
