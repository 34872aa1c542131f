import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToReference, resolveUri, toLocalPath, toShortName } from '#cwl/uri.ts';

test('references resolve as RFC 3986 §5.4 says', () => {
  const base = 'http://a/b/c/d;p?q';
  const examples: Record<string, string> = {
    'g:h': 'http://a/b/c/g:h',
    g: 'http://a/b/c/g',
    './g': 'http://a/b/c/g',
    'g/': 'http://a/b/c/g/',
    '/g': 'http://a/g',
    '//g': 'http://g',
    'g?y': 'http://a/b/c/g?y',
    '?y': 'http://a/b/c/d;p?y',
    'g#s': 'http://a/b/c/g#s',
    '': 'http://a/b/c/d;p?q',
    '#s': 'http://a/b/c/d;p?q#s',
    '.': 'http://a/b/c/',
    '..': 'http://a/b/',
    '../g': 'http://a/b/g',
    '../../../../g': 'http://a/g',
    'g..': 'http://a/b/c/g..',
    'g/../h': 'http://a/b/c/h',
    'gg:h': 'gg:h',
  };
  for (const [reference, uri] of Object.entries(examples)) assert.equal(resolveUri(base, reference), uri, reference);
});

test('file URIs, also of Windows', () => {
  assert.equal(resolveUri('file:///a/b.cwl#main', '../c d.cwl'), 'file:///c%20d.cwl');
  assert.equal(resolveUri('file:///c%3A/work/a.cwl', 'b.cwl'), 'file:///c%3A/work/b.cwl');
  assert.equal(resolveUri('file:///a/b.cwl', '#x'), 'file:///a/b.cwl#x');
});

test('a path is a path, whatever is in its name', () => {
  assert.equal(pathToReference('/a/b c#d?e%f:g'), 'file:///a/b%20c%23d%3Fe%25f%3Ag');
  assert.equal(pathToReference('../a:b'), '../a%3Ab');
  assert.equal(toLocalPath(resolveUri('file:///x/y.yml', pathToReference('a#b'))), '/x/a#b');
  assert.equal(toLocalPath('http://a/b'), undefined);
});

test('the last part of an identifier', () => {
  assert.deepEqual(['x', '#x', '#main/x', 'file:///a/b.cwl#main/s/x', 'file:///a/b.cwl'].map(toShortName), [
    'x',
    'x',
    'x',
    'x',
    'b.cwl',
  ]);
});
