// The JavaScript engine: its isolation and its limits.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import type { Evaluator } from '#cwl/evaluator.ts';
import { createEvaluator } from '#helper/quickjs-evaluator.ts';

const engine = createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm');
let evaluator: Evaluator;
before(async () => {
  evaluator = await createEvaluator(engine, { seconds: 0.2, megabytes: 64 });
});

function run(code: string, options: { isBody?: boolean; lib?: string[] } = {}) {
  const scope = { inputs: { n: 2, text: 'é "\\ \u2028' }, self: [1], runtime: { cores: 4 } };
  return evaluator.evaluate(code, { isBody: options.isBody ?? false, lib: options.lib ?? [], scope });
}

test('expressions and function bodies see inputs, self and runtime', () => {
  assert.equal(run('inputs.n + runtime.cores + self[0]'), 7);
  assert.equal(run('return inputs.text;', { isBody: true }), 'é "\\ \u2028');
  assert.deepEqual(run('{a: [1, null]} // done'), { a: [1, null] });
  assert.equal(run('null'), null);
});

test('expressionLib is there for each expression, and for no other', () => {
  const lib = ['function twice(x) { return x * inputs.n; }', 'var base = 10;'];
  assert.equal(run('twice(base)', { lib }), 20);
  assert.equal(run('base = twice(base)', { lib }), 20);
  assert.equal(run('base', { lib }), 10, 'the change is gone');
  assert.throws(() => run('base'), /base' is not defined/);
});

test('nothing of an expression is left for the next one', () => {
  run('Array.prototype.push = 1; globalThis.leak = inputs; Object.freeze(JSON); return 1', { isBody: true });
  assert.equal(run('typeof leak + typeof [].push'), 'undefinedfunction');
});

test('nothing is left in the memory that a library has got but not used', () => {
  const lib = ['var table = new Uint8Array(3e6);'];
  for (let i = 0; i < 4; i++) assert.equal(run('table[2e6]++ + table[3e6 - 1]++', { lib }), 0);
});

test('an expression that comes again is compiled once, and still starts from nothing each time', () => {
  const lib = ['var calls = 0; function count() { calls += 1; return calls; }'];
  const leave = 'globalThis.left = (globalThis.left || 0) + 1; JSON.parse = null; return [left, count(), inputs.n]';
  for (let turn = 0; turn < 4; turn++) {
    assert.deepEqual(run(leave, { isBody: true, lib }), [1, 1, 2]);
    assert.equal(run('count() + 10', { lib }), 11);
    assert.throws(() => run('null.x', { lib }), /TypeError/);
  }
});

test('it runs in strict mode, and has no file system, network or processes', () => {
  assert.throws(() => run('undeclared = 1'), /not defined/);
  assert.equal(
    run('[typeof require, typeof process, typeof fetch, typeof std, typeof os].join()'),
    'undefined,undefined,undefined,undefined,undefined',
  );
});

test('what is no JSON value is an error that says so', () => {
  assert.throws(() => run('undefined'), /gives undefined/);
  assert.throws(() => run('function () {}'), /gives a function/);
  assert.throws(() => run('({deep: [0 / 0]})'), /gives NaN in 0/);
  assert.throws(
    () => run('throw new Error("my reason")', { isBody: true }),
    error => isFailure(error, 'cwl/expression') && /my reason/.test(error.message),
  );
  assert.throws(
    () => run('a b'),
    error => isFailure(error, 'cwl/expression') && /SyntaxError/.test(error.message),
  );
});

test('time, memory and stack have limits, and the engine lives on', async () => {
  const isLimit = (error: unknown) => isFailure(error, 'cwl/expression-limit');
  assert.throws(() => run('while (true) {}', { isBody: true }), isLimit);
  assert.throws(() => run('/(a+)+$/.test("a".repeat(50) + "b")'), isLimit);
  assert.throws(() => run('(function f() { return f(); })()'), isLimit);
  assert.throws(() => run('"x".repeat(1e9)'), isLimit);
  const hog = () => run('var a = []; while (true) a.push(new Array(1000).fill(1))', { isBody: true });
  assert.throws(hog, isLimit);
  await new Promise(resolve => setTimeout(resolve, 100));
  assert.equal(run('1 + 1'), 2);
  assert.throws(hog, isLimit);
  assert.equal(run('2 + 2'), 4);
});
