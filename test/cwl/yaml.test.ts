// The quick reader of YAML reads what the general one reads, or gives up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Node, type Source, toJson } from '#cwl/node.ts';
import { parseQuickly } from '#cwl/quick-yaml.ts';
import { parseYaml } from '#cwl/yaml-text.ts';

const sourceOf = (text: string): Source => ({
  uri: 'file:///x.cwl',
  text,
  base: 'file:///x.cwl',
  namespaces: new Map(),
});

/** Offsets of all keys and of all values that have a text of their own. */
function placesOf(node: Node): unknown {
  if (node.kind === 'scalar') return node.value === null || node.value === '' ? 0 : node.start;
  if (node.kind === 'list') return [node.start, node.items.map(placesOf)];
  return [node.start, [...node.entries].map(([name, { key, value }]) => [name, key.start, key.end, placesOf(value)])];
}

function compare(text: string): 'same' | 'left' {
  const quick = parseQuickly(sourceOf(text));
  if (!quick) return 'left';
  const general = parseYaml(sourceOf(text));
  assert.deepEqual(general.problems, [], text);
  assert.deepEqual(toJson(quick), toJson(general.root as Node), text);
  assert.deepEqual(placesOf(quick), placesOf(general.root as Node), text);
  return 'same';
}

const read = [
  'a: 1',
  '#!/usr/bin/env cwl-runner\n---\na: b\n',
  'a:\n  b:\n    c: d\n  e: f\ng:\n',
  'a:\n- b\n- c: d\n  e: f\n-\n  g: h\n- - i\n  - j\nk: l\n',
  'a: [1, -2, 3.5e3, .5, true, null, ~, "x", \'y\', z z, --option]\n',
  'a: {b: 1, c: {d: [e, {f: g}]}, "h":1, "i": 2}\n',
  'a: [\n  b, # one\n  c,\n]\n',
  'a: "q \\" \\n \\u00e9 \\\\"\nb: \'it\'\'s\'\n"c d": e\n',
  'a: |\n  one\n    two\n\n  three\n\n\nb: |-\n  x\nc: |+\n  y\n\nd: z\n',
  'a: >\n  one\n  two\n\n  three\n\n\n  four\nb: >-\n  x\n  y\n',
  'a: plain text\n  goes on\n\n  and on\nb: c # comment\n# comment\nc: d#e\n',
  'a: $(inputs.x[0] + "}")\nb: $(a?b:c)\nc: http://x.org/a#b\nd: a:b\n',
  '{"a": [1, 2, {"b": null}], "c": "d\\/e"}',
  '[]',
  '{\n\t"a": [\n\t\t1,\n\t\t"b c"\n\t],\n\t"d":\t{}\n}\n',
  'a: 0x1F\nb: 0o17\nc: 012\nd: 1_000\ne: 1.\nf: .inf\ng: "1"\nh: yes\ni: 2001-01-01\n',
  'true: a\n1.0: b\nnull: c\n',
];
test('everyday YAML is read quickly, and as the general reader reads it', () => {
  for (const text of read) assert.equal(compare(text), 'same', text);
});

const left = [
  'a: &x 1\nb: *x\n',
  'a: !!str 1\n',
  '? a\n: b\n',
  'a: 1\n---\nb: 2\n',
  '%YAML 1.2\n---\na: 1\n',
  'a:\tb\n',
  'a: 1\r\nb: 2\r\n',
  'a: 1\na: 2\n',
  '<<: {a: 1}\n',
  'a: b: c\n',
  'a: [b\n',
  'a: "b\n',
  'a: |2\n   b\n',
  'a:\n   b: 1\n  c: 2\n',
  'a: b\n c: d\n',
  '- a\nb: c\n',
  'a: @b\n',
  'a: "x\n  y"\n',
  'a: [b] c\n',
  '',
  '# nothing\n',
];
test('what is unusual or wrong is left to the general reader', () => {
  for (const text of left) assert.equal(parseQuickly(sourceOf(text)), undefined, text);
});

test('thousands of mutations of documents: never another tree', () => {
  let seed = 20200801;
  const random = (limit: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % limit;
  };
  const pieces = [
    '\n',
    ' ',
    '  ',
    ': ',
    '- ',
    '# ',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    ',',
    '|',
    '>',
    '-',
    'a',
    '\n  ',
    '\n\n',
    '1',
    ':',
    '?',
    '\\',
    '~',
    '.5',
    '\t',
  ];
  let same = 0;
  for (let round = 0; round < 1000; round++) {
    let text = read[random(read.length)] as string;
    for (let change = random(3) + 1; change > 0; change--) {
      const at = random(text.length + 1);
      text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(3));
    }
    if (compare(text) === 'same') same++;
  }
  assert.ok(same > 200, `${same} of 1000 were read quickly`);
});
