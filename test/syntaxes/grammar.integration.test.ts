// The grammar in VS Code's own tokenizer, over the YAML and JavaScript grammars that VS Code has.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';

// Both are CommonJS, without names that a module could import.
const require = createRequire(import.meta.url);
const { INITIAL, parseRawGrammar, Registry } = require('vscode-textmate') as typeof import('vscode-textmate');
const { createOnigScanner, createOnigString, loadWASM } =
  require('vscode-oniguruma') as typeof import('vscode-oniguruma');

const files: Record<string, string> = {
  'source.cwl': 'syntaxes/cwl.tmLanguage.json',
  'source.yaml': require.resolve('tm-grammars/grammars/yaml.json'),
  'source.js': require.resolve('tm-grammars/grammars/javascript.json'),
};
let grammar: import('vscode-textmate').IGrammar;

before(async () => {
  await loadWASM(readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm')));
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
    async loadGrammar(scope) {
      const file = files[scope];
      return file === undefined ? null : parseRawGrammar(readFileSync(file, 'utf8'), file);
    },
  });
  grammar = (await registry.loadGrammar('source.cwl')) as import('vscode-textmate').IGrammar;
});

test('fields are those of YAML', () => {
  assert.match(scopesAt('baseCommand: echo', 'baseCommand'), /entity\.name\.tag\.yaml/);
  assert.match(scopesAt('# class: Workflow', 'class'), /comment/);
});

test('classes stand out, in blocks, lists and flow', () => {
  for (const text of ['class: CommandLineTool', '  - class: CommandLineTool', 'x: {class: CommandLineTool}']) {
    assert.match(scopesAt(text, 'CommandLineTool'), /support\.class\.cwl/, text);
    assert.match(scopesAt(text, 'class'), /entity\.name\.tag\.yaml/, text);
  }
  assert.doesNotMatch(scopesAt('class: Nothing', 'Nothing'), /support\.class/);
});

test('an expression is JavaScript, wherever a value may stand', () => {
  for (const text of [
    'valueFrom: $(inputs.size + 1)',
    'valueFrom: "$(inputs.size + 1)"',
    "valueFrom: '$(inputs.size + 1)'",
    'valueFrom: before $(inputs.size + 1) after',
    '  - $(inputs.size + 1)',
    'x: {valueFrom: $(inputs.size + 1), y: 1}',
    'script: |\n  echo $(inputs.size + 1)\n',
    'script: >-\n\n  echo $(inputs.size + 1)\n',
  ]) {
    assert.match(scopesAt(text, '+'), /meta\.embedded\.inline\.javascript.*keyword\.operator/, text);
    assert.match(scopesAt(text, 'inputs'), /variable\.language\.cwl/, text);
  }
});

test('a body is JavaScript over many lines, and YAML goes on after it', () => {
  const text = [
    'expression: |',
    '  ${',
    '    // a comment with } and )',
    '    var f = function(x) { return "}" + x; };',
    '    return {"out": f(inputs.a)};',
    '  }',
    'outputs: []',
  ].join('\n');
  assert.match(scopesAt(text, 'function'), /meta\.embedded\.block\.javascript.*storage\.type\.function/);
  assert.match(scopesAt(text, 'a comment'), /comment\.line/);
  assert.match(scopesAt(text, 'return {'), /keyword\.control/);
  assert.match(scopesAt(text, 'outputs'), /entity\.name\.tag\.yaml/);
  assert.doesNotMatch(scopesAt(text, 'outputs'), /meta\.embedded/);
});

test('brackets inside an expression do not end it', () => {
  const text = 'glob: $(inputs.names.map(function(n) { return n + ")"; })[0]).txt\nstdout: x';
  assert.match(scopesAt(text, '[0]'), /meta\.embedded\.inline/);
  assert.doesNotMatch(scopesAt(text, '.txt'), /meta\.embedded/);
  assert.match(scopesAt(text, 'stdout'), /entity\.name\.tag\.yaml/);
});

test('an escaped expression is text', () => {
  const text = `script: |\n  echo \\$(date) \\\${HOME}\nstdout: x`;
  assert.match(scopesAt(text, '\\$'), /constant\.character\.escape\.cwl/);
  assert.doesNotMatch(scopesAt(text, 'date'), /meta\.embedded/);
  assert.doesNotMatch(scopesAt(text, 'HOME'), /meta\.embedded/);
});

test('a comment has no expressions', () => {
  assert.doesNotMatch(scopesAt('# $(inputs.a)', 'inputs'), /meta\.embedded/);
});

/** Scopes of the first occurrence of `part`, joined. */
function scopesAt(text: string, part: string): string {
  let state = INITIAL;
  for (const line of text.split('\n')) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    const at = line.indexOf(part);
    if (at >= 0) return (tokens.find(token => token.startIndex <= at && at < token.endIndex)?.scopes ?? []).join(' ');
    state = ruleStack;
  }
  throw new Error(`${part} is not in the text`);
}
