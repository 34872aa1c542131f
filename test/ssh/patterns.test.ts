import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isListMatch, isMatch } from '#ssh/patterns.ts';

test('* stands for any run, ? for one character', () => {
  const yes = [
    ['', ''],
    ['', '*'],
    ['abc', '*'],
    ['abc', 'a*c'],
    ['ac', 'a*c'],
    ['abcabc', '*abc'],
    ['abc', '???'],
    ['a.b', 'a.b'],
    ['aaab', '*a?'],
  ];
  const no = [
    ['abc', ''],
    ['abc', 'ab'],
    ['abc', '??'],
    ['axb', 'a.b'],
    ['abd', 'a*c'],
    ['', '?'],
  ];
  for (const [text, pattern] of yes) assert.ok(isMatch(text as string, pattern as string), `${text} fits ${pattern}`);
  for (const [text, pattern] of no) assert.ok(!isMatch(text as string, pattern as string), `${text} ≠ ${pattern}`);
});

test('many stars do not take for ever', () => {
  assert.ok(!isMatch('a'.repeat(2000), `${'*a'.repeat(50)}b`));
});

test('in a list one negation spoils all', () => {
  assert.ok(isListMatch('a', ['b', 'a']));
  assert.ok(!isListMatch('a', ['*', '!a']));
  assert.ok(!isListMatch('a', ['!b']));
});
