// biome-ignore-all lint/suspicious/noTemplateCurlyInString: CWL writes its expressions so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { evaluate } from '#cwl/expression.ts';
import { parseInterpolation } from '#cwl/interpolate.ts';
import { formatJson } from '#cwl/json-text.ts';
import { formatNumber } from '#cwl/number.ts';
import { parseReference, resolveReference } from '#cwl/parameter-reference.ts';
import { makeContext, place } from './support-execution.ts';

test('numbers are written as decimals (CWL v1.2, CommandLineBinding)', () => {
  const written: [number, string][] = [
    [0.00001, '0.00001'],
    [1.23e-5, '0.0000123'],
    [1.23e5, '123000'],
    [1e21, '1000000000000000000000'],
    [-1.5e-7, '-0.00000015'],
    [-4.25e22, '-42500000000000000000000'],
    [0, '0'],
    [4.2, '4.2'],
    [1.2345e-10, '0.00000000012345'],
  ];
  for (const [value, text] of written) assert.equal(formatNumber(value), text);
});

test('JSON in strings has its keys sorted, and spaces (CWL v1.2, String interpolation)', () => {
  assert.equal(formatJson({ b: [1, 'x"y', null], a: { c: true } }), '{"a": {"c": true}, "b": [1, "x\\"y", null]}');
  assert.equal(formatJson([]), '[]');
});

test('a parameter reference is a symbol with segments', () => {
  assert.deepEqual(parseReference("inputs.file[\"a b\"]['c\\'d'][2].e"), ['inputs', 'file', 'a b', "c'd", 2, 'e']);
  assert.deepEqual(parseReference(' inputs.größe '), ['inputs', 'größe']);
  for (const text of ['inputs.a + 1', 'inputs["a" + 1]', 'f(x)', 'inputs.', '', 'inputs..a', 'inputs[-1]']) {
    assert.equal(parseReference(text), undefined, text);
  }
});

test('references resolve as the specification says', () => {
  const scope = { inputs: { list: [1, 2], text: 'hello', object: { length: 7, deep: { x: null } } }, self: null };
  const resolve = (text: string) => resolveReference(parseReference(text)!, scope);
  assert.equal(resolve('inputs.list.length'), 2);
  assert.equal(resolve('inputs.object.length'), 7);
  assert.equal(resolve('inputs.list[1]'), 2);
  assert.equal(resolve('inputs.text[1]'), 'e');
  assert.equal(resolve('inputs.object.deep.x'), null);
  assert.equal(resolve('null'), null);
  for (const text of [
    'null.x',
    'inputs.list[2]',
    'inputs.text.length',
    'inputs.none',
    'other',
    'self.x',
    'inputs.list.x',
    'inputs.object.toString',
  ]) {
    assert.throws(
      () => resolve(text),
      error => isFailure(error, 'cwl/expression'),
      text,
    );
  }
});

test('a missing part is named with what is there', () => {
  const scope = { inputs: { reads: { class: 'File', size: 3 } } };
  assert.throws(
    () => resolveReference(['inputs', 'reads', 'sise'], scope),
    /inputs\.reads \(an object with class, size\) has no "sise"/,
  );
});

test('scanning skips strings, comments, regular expressions and nested brackets', () => {
  const codes = (text: string) =>
    parseInterpolation(text, 'v1.2').flatMap(part => (typeof part === 'string' ? [] : part.code));
  assert.deepEqual(codes('a $(f(")")) b'), ['f(")")']);
  assert.deepEqual(codes("${ // don't stop\n return {a: '}'}; }"), [" // don't stop\n return {a: '}'}; "]);
  assert.deepEqual(codes('$(x.replace(/[)]/g, ""))'), ['x.replace(/[)]/g, "")']);
  assert.deepEqual(codes('$(a / b) $(c)'), ['a / b', 'c']);
  assert.deepEqual(codes('${ return /\\}/.test(inputs.x) /* } */ }'), [' return /\\}/.test(inputs.x) /* } */ ']);
  assert.deepEqual(codes('$(`${1}`)'), ['`${1}`']);
  assert.deepEqual(codes('$(not closed'), []);
});

test('escapes of v1.2: two backslashes are one, a backslash hides an expression', () => {
  const context = makeContext({ val: 'val' });
  const show = (text: string) => evaluate(text, context, { place });
  const cases: [string, string][] = [
    ["'\\$(inputs.val)'", "'$(inputs.val)'"],
    ["'\\\\$(inputs.val)'", "'\\val'"],
    ["'\\\\\\$(inputs.val)'", "'\\$(inputs.val)'"],
    ["'\\\\\\\\$(inputs.val)'", "'\\\\val'"],
    ['\\$ \\n $(inputs.val)', '\\$ \\n val'],
    ['\\${x} $(inputs.val)', '${x} val'],
    ['no expression \\\\ here', 'no expression \\\\ here'],
  ];
  for (const [text, expected] of cases) assert.equal(show(text), expected, text);
});

test('escapes of v1.0 and v1.1: a backslash is dropped', () => {
  const context = makeContext({ val: 'v' }, { version: 'v1.0' });
  assert.equal(evaluate('\\a \\$(inputs.val) $(inputs.val)', context, { place }), 'a $(inputs.val) v');
});

test('a field that is one expression keeps the type; with text around it, it is a text', () => {
  const context = makeContext({ n: 3, list: ['a'], file: { class: 'File', path: '/x' } });
  assert.equal(evaluate('$(inputs.n)', context, { place }), 3);
  assert.equal(evaluate(' $(inputs.n)\n', context, { place }), 3);
  assert.equal(evaluate('$(inputs.n)\n', context, { place, keepSpace: true }), '3\n');
  assert.equal(evaluate('-$(inputs.n)-$(inputs.list)', context, { place }), '-3-["a"]');
  assert.deepEqual(evaluate('$(self)', context, { place, self: [1] }), [1]);
  assert.equal(evaluate('$(runtime.outdir)/x', context, { place }), '/w/x');
});

test('an error begins with its place in the document', () => {
  assert.throws(
    () => evaluate('x $(inputs.none)', makeContext(), { place }),
    /^Failure: \/d\/tool\.cwl:3:5: x \$\(inputs\.none\): inputs \(an object with no fields\) has no "none"$/,
  );
});

test('JavaScript needs InlineJavascriptRequirement, and goes to the evaluator', () => {
  const asked: unknown[] = [];
  const evaluator = {
    evaluate(code: string, options: { isBody: boolean; lib: readonly string[] }) {
      asked.push([code, options.isBody, options.lib]);
      return 5;
    },
  };
  assert.throws(() => evaluate('$(1 + 1)', makeContext({}, { evaluator }), { place }), /not a parameter reference/);
  const context = makeContext({ text: 'abc' }, { evaluator, lib: ['var a;'] });
  assert.equal(evaluate('$(1 + 1)', context, { place }), 5);
  assert.equal(evaluate('${return 1;}', context, { place }), 5);
  assert.equal(evaluate('$(inputs.text)', context, { place }), 'abc');
  // In JavaScript a string has a length, which needs no engine; what else it has is the engine's to know.
  assert.equal(evaluate('$(inputs.text.length)', context, { place }), 3);
  assert.equal(evaluate('$(inputs.text.link)', context, { place }), 5);
  assert.deepEqual(asked, [
    ['1 + 1', false, ['var a;']],
    ['return 1;', true, ['var a;']],
    ['inputs.text.link', false, ['var a;']],
  ]);
});
