// Documents that mean harm, or are only too large, end in one clear problem, soon.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './documents.ts';

const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'
    .split('')
    .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[index]}`).join(', ')}]`),
].join('\n');

const cases: Record<string, [text: string, code: string]> = {
  'aliases that multiply': [`cwlVersion: v1.2\nclass: Workflow\n${bomb}\n`, 'cwl/too-large'],
  'an anchor that contains itself': ['cwlVersion: v1.2\nclass: Workflow\ndoc: &a [*a]\n', 'cwl/alias'],
  'brackets within brackets': [`cwlVersion: v1.2\ndoc: ${'['.repeat(50_000)}\n`, 'cwl/too-deep'],
  'brackets that close': [`cwlVersion: v1.2\ndoc: ${'['.repeat(2000)}${']'.repeat(2000)}\n`, 'cwl/too-deep'],
  'maps within maps': [Array.from({ length: 400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'), 'cwl/too-deep'],
  'a large document that no quick reader reads': [`a: &x 1\n${'# comment\n'.repeat(500_000)}`, 'cwl/too-large'],
  'a document without end': [`doc: "${'x'.repeat(33 * 1024 * 1024)}"`, 'cwl/too-large'],
};

for (const [name, [text, code]] of Object.entries(cases)) {
  test(name, async () => {
    const { problems, process } = await load(text);
    assert.equal(process, undefined);
    assert.deepEqual(
      problems.map(problem => problem.code),
      [code],
    );
  });
}

test('names of JavaScript objects are names like others', async () => {
  const { problems } = await load(
    'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: a\ninputs: {__proto__: int, constructor: int, toString: {type: int}}\noutputs: []\nhints: {constructor: {}, __proto__: {}}\nhasOwnProperty: 1\n',
  );
  assert.deepEqual(
    problems.map(problem => [problem.code, problem.severity]),
    [
      ['cwl/unknown-requirement', 'warning'],
      ['cwl/unknown-requirement', 'warning'],
      ['cwl/unknown-field', 'error'],
    ],
  );
});
