import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildCommandLine } from '#cwl/command-line.ts';
import { compareKeys, compareUtf8 } from '#cwl/input-binding.ts';
import type { CommandLineTool, Field, InputBinding, InputParameter, Type, Value } from '#cwl/model.ts';
import { makeBinding, makeContext, makeInput, place, primitive } from './support-execution.ts';

const string = primitive('string');

function makeTool(inputs: InputParameter[], change: Partial<CommandLineTool> = {}): CommandLineTool {
  return {
    class: 'CommandLineTool',
    id: 'file:///d/tool.cwl',
    cwlVersion: 'v1.2',
    intent: [],
    inputs,
    outputs: [],
    requirements: [],
    hints: [],
    unknownHints: [],
    schemas: [],
    place,
    baseCommand: [],
    arguments: [],
    successCodes: [],
    temporaryFailCodes: [],
    permanentFailCodes: [],
    ...change,
  };
}

function build(
  inputs: InputParameter[],
  values: Record<string, Value>,
  change: Partial<CommandLineTool> = {},
  shell = false,
) {
  return buildCommandLine(makeTool(inputs, change), makeContext(values), { shell });
}

/** The words of one input. */
function bind(type: Type, value: Value, binding: Partial<InputBinding> = {}) {
  return build([makeInput('x', type, makeBinding(binding))], { x: value });
}

function makeField(name: string, type: Type, inputBinding?: InputBinding): Field {
  return { name, type, inputBinding, place, secondaryFiles: [], format: [], streamable: false, loadContents: false };
}

test('each type adds what CommandLineBinding says', () => {
  const file = { class: 'File', path: '/in/0/a b.txt', basename: 'a b.txt' };
  assert.deepEqual(bind(string, 'v', { prefix: '-p' }), ['-p', 'v']);
  assert.deepEqual(bind(string, 'v', { prefix: '-p=', separate: false }), ['-p=v']);
  assert.deepEqual(bind(primitive('double'), 1e-5, { prefix: '-n' }), ['-n', '0.00001']);
  assert.deepEqual(bind(primitive('boolean'), true, { prefix: '-b' }), ['-b']);
  assert.deepEqual(bind(primitive('boolean'), true), []);
  assert.deepEqual(bind(primitive('boolean'), false, { prefix: '-b' }), []);
  assert.deepEqual(bind(primitive('File'), file), ['/in/0/a b.txt']);
  assert.deepEqual(
    bind({ kind: 'union', members: [primitive('null'), string] }, null, { prefix: '-p', valueFrom: 'x' }),
    [],
  );
});

test('arrays: joined, or item by item behind the prefix, or each with the binding of their type', () => {
  const array = (items: Type, inputBinding?: InputBinding): Type => ({ kind: 'array', items, inputBinding });
  assert.deepEqual(bind(array(string), ['a', 'b'], { prefix: '-p', itemSeparator: ',' }), ['-p', 'a,b']);
  assert.deepEqual(bind(array(string), ['a', 'b'], { prefix: '-p=', separate: false, itemSeparator: ',' }), ['-p=a,b']);
  assert.deepEqual(bind(array(string), ['a', 'b'], { prefix: '-p' }), ['-p', 'a', 'b']);
  assert.deepEqual(bind(array(string), [], { prefix: '-p' }), []);
  assert.deepEqual(bind(array(string, makeBinding({ prefix: '-i' })), ['a', 'b']), ['-i', 'a', '-i', 'b']);
  assert.deepEqual(bind(array(string, makeBinding({ prefix: '-i', separate: false })), ['a', 'b'], { prefix: '-p' }), [
    '-p',
    '-ia',
    '-ib',
  ]);
  assert.deepEqual(bind(array(array(string)), [['a', 'b'], ['c']], { prefix: '-p' }), ['-p', 'a', 'b', 'c']);
  const unbound = build([makeInput('x', array(string, makeBinding({ prefix: '-i' })))], { x: ['a', 'b'] });
  assert.deepEqual(unbound, ['-i', 'a', '-i', 'b']);
});

test('records add the fields that have a binding, in the order of their keys', () => {
  const record: Type = {
    kind: 'record',
    fields: [
      makeField('late', string, makeBinding({ position: 2 })),
      makeField('early', string, makeBinding({ position: 1, prefix: '-e' })),
      makeField('silent', string),
    ],
  };
  const value = { late: 'l', early: 'e', silent: 's' };
  assert.deepEqual(bind(record, value, { prefix: '-r' }), ['-r', '-e', 'e', 'l']);
  assert.deepEqual(build([makeInput('x', record)], { x: value }), ['-e', 'e', 'l']);
  const list: Type = { kind: 'array', items: record };
  assert.deepEqual(build([makeInput('x', list)], { x: [value, value] }), ['-e', 'e', 'l', '-e', 'e', 'l']);
});

test('arguments and inputs are sorted by position, then arguments by index and inputs by name', () => {
  const inputs = [
    makeInput('b', string, makeBinding({ position: 1 })),
    makeInput('a', string, makeBinding({ position: 1 })),
    makeInput('first', string, makeBinding({ position: -1 })),
    makeInput('none', string),
  ];
  const args = [makeBinding({ valueFrom: 'arg0' }), makeBinding({ valueFrom: 'arg1', position: 1 })];
  const words = build(
    inputs,
    { a: 'A', b: 'B', first: 'F', none: 'N' },
    { arguments: args, baseCommand: ['tool', 'sub'] },
  );
  assert.deepEqual(words, ['tool', 'sub', 'F', 'arg0', 'arg1', 'A', 'B']);
});

test('position may be an expression that sees its value', () => {
  const inputs = [
    makeInput('a', primitive('int'), makeBinding({ position: '$(self)' })),
    makeInput('b', primitive('int'), makeBinding({ position: '$(inputs.a)' })),
    makeInput('c', primitive('int'), makeBinding({ position: 3 })),
  ];
  assert.deepEqual(build(inputs, { a: 5, b: 4, c: 1 }), ['1', '5', '4']);
  assert.throws(
    () => build([makeInput('a', string, makeBinding({ position: '$(self)' }))], { a: 'x' }),
    /position must be an integer/,
  );
});

test('valueFrom replaces the value, and its type counts', () => {
  assert.deepEqual(bind(string, 'v', { valueFrom: 'const', prefix: '-p' }), ['-p', 'const']);
  assert.deepEqual(bind({ kind: 'array', items: string }, ['a', 'b'], { valueFrom: '$(self[1])' }), ['b']);
  assert.deepEqual(bind(string, 'v', { valueFrom: '$(null)', prefix: '-p' }), []);
  const context = makeContext({ list: ['a', 'b'] });
  const tool = makeTool([], { arguments: [makeBinding({ valueFrom: '$(inputs.list)', prefix: '-p' })] });
  assert.deepEqual(buildCommandLine(tool, context, { shell: false }), ['-p', 'a', 'b']);
});

test('with ShellCommandRequirement the line is one text, quoted but where shellQuote is false', () => {
  const inputs = [makeInput('x', string, makeBinding({ position: 1 }))];
  const args = [makeBinding({ valueFrom: '| wc -l', position: 2, shellQuote: false })];
  const words = build(inputs, { x: "it's; rm" }, { arguments: args, baseCommand: ['echo'] }, true);
  assert.deepEqual(words, ['/bin/sh', '-c', "echo 'it'\\''s; rm' | wc -l"]);
});

test('Any takes the type of its value', () => {
  assert.deepEqual(bind(primitive('Any'), ['a', 2], { prefix: '-p' }), ['-p', 'a', '2']);
  assert.deepEqual(bind(primitive('Any'), { class: 'File', path: '/in/0/f' }), ['/in/0/f']);
});

test('keys: numbers before strings, prefixes first, strings by UTF-8', () => {
  assert.ok(compareKeys([1], ['a']) < 0);
  assert.ok(compareKeys([1], [1, 0]) < 0);
  assert.ok(compareKeys([10], [9]) > 0);
  assert.ok(compareUtf8('\u{10000}', '\uffee') > 0);
  assert.ok(compareUtf8('Z', 'a') < 0);
});
