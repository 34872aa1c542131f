import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cksum } from '#remote/cksum.ts';

// Numbers of cksum (GNU coreutils 9.1).
test('the numbers are those of cksum', () => {
  const cases: [string, number][] = [
    ['', 4294967295],
    ['123456789', 930766865],
    ['hello\n', 3015617425],
  ];
  for (const [text, expected] of cases) {
    const whole = new Cksum();
    whole.update(Buffer.from(text));
    assert.equal(whole.digest(), expected, text);
    const pieces = new Cksum();
    for (const byte of Buffer.from(text)) pieces.update(Uint8Array.of(byte));
    assert.equal(pieces.digest(), expected);
  }
});
