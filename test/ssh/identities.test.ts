import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderKeys } from '#ssh/identities.ts';

const agent = ['a', 'b', 'c'].map(blob => ({ blob }));

test('agent keys that a file names come first, then the other agent keys, then the files', () => {
  const files = [{ blob: 'f' }, { blob: 'c' }, { blob: undefined }];
  assert.deepEqual(
    orderKeys(agent, files, false).map(key => key.blob),
    ['c', 'a', 'b', 'f', undefined],
  );
});

test('with IdentitiesOnly the other agent keys stay out', () => {
  const files = [{ blob: 'f' }, { blob: 'b' }];
  assert.deepEqual(
    orderKeys(agent, files, true).map(key => key.blob),
    ['b', 'f'],
  );
});

test('no key is offered twice', () => {
  const offered = orderKeys(agent, [{ blob: 'a' }, { blob: 'a' }], false).map(key => key.blob);
  assert.deepEqual(offered, ['a', 'b', 'c']);
});
