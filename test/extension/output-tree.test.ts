import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { listOutputs, toPath } from '#extension/output-tree.ts';

describe('an output object as a tree', () => {
  test('a file can be opened, and has its secondary files below it', () => {
    const [entry] = listOutputs({
      reads: {
        class: 'File',
        location: 'file:///out/a%20b.bam',
        basename: 'a b.bam',
        size: 1234,
        checksum: 'sha1$00',
        secondaryFiles: [{ class: 'File', location: 'file:///out/a%20b.bam.bai', basename: 'a b.bam.bai' }],
      },
    });
    assert.equal(entry?.path, '/out/a b.bam');
    assert.equal(entry?.description, 'a b.bam · 1.2 kB');
    assert.equal(entry?.checksum, 'sha1$00');
    assert.deepEqual(
      entry?.children?.map(child => child.path),
      ['/out/a b.bam.bai'],
    );
  });

  test('lists and records are groups, the rest is told', () => {
    const [list, record, count, nothing] = listOutputs({
      list: [1, { class: 'Directory', path: '/out/d' }],
      record: { name: 'x' },
      count: 3,
      nothing: null,
    });
    assert.equal(list?.description, '2 items');
    assert.deepEqual(
      list?.children?.map(child => [child.name, child.kind]),
      [
        ['[0]', 'value'],
        ['[1]', 'directory'],
      ],
    );
    assert.deepEqual(
      record?.children?.map(child => child.description),
      ['"x"'],
    );
    assert.equal(count?.description, '3');
    assert.equal(nothing?.description, 'null');
  });

  test('only what is on the cluster has a path', () => {
    assert.equal(toPath('/a/b'), '/a/b');
    assert.equal(toPath('file:///a/%E2%82%AC'), '/a/€');
    assert.equal(toPath('file://localhost/a'), '/a');
    assert.equal(toPath('file:///a/100%'), '/a/100%');
    assert.equal(toPath('https://example.org/a'), undefined);
    assert.equal(toPath(undefined), undefined);
  });
});
