import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { findPaths } from '#helper/files.ts';
import { parseTrial } from '#helper/lock-probe.ts';
import { findTextEnd } from '#helper/logs.ts';
import { takeCount, takeLogKey, takeRunRequest, toFields } from '#helper/parameters.ts';
import { isRunId, toRunFolder } from '#helper/run-folder.ts';
import { toRelative } from '#helper/sources.ts';
import { formatDuration, formatTable } from '#helper/table.ts';

const bad = (error: unknown) => isFailure(error, 'helper/bad-request');

describe('paths from the other end', () => {
  test('plain relative paths are taken', () => {
    for (const path of ['a.cwl', 'tools/a b#c.cwl', '.hidden', '...', 'ä/ß', 'a:b'])
      assert.equal(toRelative(path), path);
  });

  test('paths that could lead elsewhere are refused', () => {
    for (const path of ['', '/etc/passwd', '..', '../x', 'a/../../x', 'a//b', 'a/', './a', 'a\0b', 'x/'.repeat(3000)]) {
      assert.throws(() => toRelative(path), bad, path);
    }
  });

  test('the id of a run is a plain name', () => {
    assert.ok(isRunId('20260102-030405-0a1b2c3d4e'));
    const home = { folder: '/h', images: '/h/images', runs: '/h/runs', sources: '/h/sources', logs: '/h/logs' };
    for (const id of ['', '.', '..', '../x', 'a/b', '.removed.x', '-x', 'a\0', 'x'.repeat(200)]) {
      assert.throws(
        () => toRunFolder(home, id),
        error => isFailure(error, 'run/unknown'),
      );
    }
  });

  test('finds the files of an input object', () => {
    const inputs = {
      n: 3,
      text: '/not/a/file',
      one: {
        class: 'File',
        path: 'data/a b.txt',
        secondaryFiles: [{ class: 'File', location: 'file:///x/a%20b.idx' }],
      },
      many: [{ class: 'Directory', location: '/d', listing: [{ class: 'File', path: '/d/y' }] }],
      remote: { class: 'File', location: 'https://example.org/x' },
      literal: { class: 'File', contents: 'x' },
      record: { inner: { class: 'File', path: '/z' } },
    };
    assert.deepEqual(findPaths(inputs, '/base'), ['/base/data/a b.txt', '/x/a b.idx', '/d', '/d/y', '/z']);
  });
});

describe('requests', () => {
  test('wrong types are refused by name', () => {
    assert.throws(() => toFields(null), bad);
    assert.throws(() => toFields([]), bad);
    for (const offset of [-1, 1.5, '0', Number.NaN, 2 ** 60])
      assert.throws(() => takeCount({ offset }, 'offset'), /offset/);
    assert.throws(() => takeLogKey({ run: 'x', stream: '../request.json' }), bad);
    assert.throws(() => takeLogKey({ run: 'x', task: 5, stream: 'log' }), bad);
  });

  test('a run request keeps what is known and drops the rest', () => {
    const request = takeRunRequest({
      sources: [{ path: 'a.cwl', digest: 'd', mode: 7 }],
      tool: 'a.cwl',
      inputs: { n: 1 },
      label: 'l',
      outdir: null,
      options: { engine: 'docker', dockerCommand: '/d', parallel: 2, mirrors: { 'docker.io': 'http://m' }, other: 1 },
    });
    assert.deepEqual(request, {
      sources: [{ path: 'a.cwl', digest: 'd' }],
      folders: undefined,
      tool: 'a.cwl',
      inputs: { n: 1 },
      label: 'l',
      outdir: undefined,
      options: {
        engine: 'docker',
        dockerCommand: '/d',
        parallel: 2,
        mirrors: { 'docker.io': 'http://m' },
        imageStore: undefined,
        cache: undefined,
      },
    });
    const good = { sources: [], tool: 'a', inputs: {}, label: 'l' };
    for (const wrong of [
      { sources: 'a' },
      { sources: [3] },
      { folders: 'a' },
      { tool: 3 },
      { tool: 'a\0' },
      { inputs: [] },
      { inputs: null },
      { label: {} },
      { outdir: 3 },
      { options: 'x' },
      { options: { parallel: 'many' } },
      { options: { dockerCommand: 1 } },
      { options: { mirrors: { a: 1 } } },
    ]) {
      assert.throws(() => takeRunRequest({ ...good, ...wrong }), bad, JSON.stringify(wrong));
    }
  });
});

describe('logs', () => {
  const end = (...bytes: number[]) => findTextEnd(Uint8Array.from(bytes));

  test('a character that is cut off waits for its rest', () => {
    assert.equal(end(), 0);
    assert.equal(end(0x61), 1);
    assert.equal(end(0x61, 0xc3), 1);
    assert.equal(end(0x61, 0xc3, 0xa4), 3);
    assert.equal(end(0x61, 0xe2, 0x82), 1);
    assert.equal(end(0x61, 0xf0, 0x9f, 0x98), 1);
    assert.equal(end(0x61, 0xf0, 0x9f, 0x98, 0x80), 5);
  });

  test('what is no UTF-8 is not waited for', () => {
    assert.equal(end(0x80, 0x80, 0x80, 0x80), 4);
    assert.equal(end(0xc3, 0x80, 0x80), 3);
  });
});

test('tables and times', () => {
  assert.equal(
    formatTable([
      ['A', 'BB'],
      ['long', ''],
    ]),
    'A     BB\nlong\n',
  );
  assert.equal(formatDuration(3210), '3.2 s');
  assert.equal(formatDuration(245_000), '4:05 min');
  assert.equal(formatDuration(7_384_000), '2:03:04 h');
});

test('the trial of locks holds only if both kinds do', () => {
  assert.equal(parseTrial('flock holds\nfcntl holds\n').result, 'holds');
  for (const text of [
    '',
    'flock holds\n',
    'flock refused: x\nfcntl holds\n',
    'flock holds\nfcntl is given to two processes at once\n',
  ]) {
    assert.equal(parseTrial(text).result, 'fails');
  }
});
