import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReference, parseReference } from '#registry/reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

test('what Docker leaves out is filled in', () => {
  const cases: [string, string][] = [
    ['alpine', 'docker.io/library/alpine:latest'],
    ['alpine:3.19', 'docker.io/library/alpine:3.19'],
    ['biocontainers/samtools:1.9', 'docker.io/biocontainers/samtools:1.9'],
    ['quay.io/biocontainers/samtools:1.19--h50ea8bc_0', 'quay.io/biocontainers/samtools:1.19--h50ea8bc_0'],
    ['localhost/tool', 'localhost/tool:latest'],
    ['localhost:5000/a/b/c', 'localhost:5000/a/b/c:latest'],
    ['[::1]:5000/tool:1', '[::1]:5000/tool:1'],
    ['Host/tool', 'Host/tool:latest'],
    ['index.docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['docker://alpine', 'docker.io/library/alpine:latest'],
    [' alpine\n', 'docker.io/library/alpine:latest'],
    [`alpine@${digest}`, `docker.io/library/alpine@${digest}`],
    [`ghcr.io/x/y:1@${digest}`, `ghcr.io/x/y:1@${digest}`],
    ['a__b/c-d.e', 'docker.io/a__b/c-d.e:latest'],
  ];
  for (const [text, full] of cases) {
    assert.equal(formatReference(parseReference(text)), full);
    assert.equal(formatReference(parseReference(full)), full);
  }
});

test('what names no image is refused', () => {
  const wrong = [
    '',
    ':1',
    'alpine:',
    'alpine:a b',
    'Alpine',
    'a//b',
    '/a',
    'a/',
    '-a',
    'a@sha256:12',
    'a@md5:x',
    'x.y/',
    'http://x/y',
    'a:b:c/d',
    '../a',
    'a/../b',
  ];
  for (const text of wrong) assert.throws(() => parseReference(text), { code: 'image/invalid-reference' }, text);
});
