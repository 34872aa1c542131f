import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MarkerSkipper } from '#ssh/shell-script.ts';

test('what comes before the marker is noise, wherever the pieces are cut', async () => {
  const text = 'Welcome!\nmar\nmark\nthe answer\n';
  for (let cut = 0; cut <= text.length; cut++) {
    const skipper = new MarkerSkipper('mark');
    skipper.write(text.slice(0, cut));
    skipper.end(text.slice(cut));
    let output = '';
    for await (const chunk of skipper) output += chunk;
    assert.equal(output, 'the answer\n');
    assert.ok(skipper.isFound);
  }
});

test('where no marker comes, the noise is kept for a message', async () => {
  const skipper = new MarkerSkipper('mark');
  skipper.end('This account is currently not available.\n');
  for await (const _ of skipper) assert.fail('nothing passes');
  assert.ok(!skipper.isFound);
  assert.equal(skipper.noise, 'This account is currently not available.');
});
