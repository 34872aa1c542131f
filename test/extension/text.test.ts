import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteCache } from '#extension/byte-cache.ts';
import { formatDuration, formatElapsed, formatProgress, formatSize } from '#extension/format.ts';
import { LogText } from '#extension/log-text.ts';

describe('numbers for people', () => {
  test('sizes', () => {
    assert.deepEqual([0, 999, 1000, 12_345, 999_600, 5e9].map(formatSize), [
      '0 B',
      '999 B',
      '1.0 kB',
      '12 kB',
      '1.0 MB',
      '5.0 GB',
    ]);
  });

  test('durations', () => {
    assert.deepEqual([-5, 400, 9_960, 59_600, 185_000, 7_800_000, 273_600_000].map(formatDuration), [
      '0.0 s',
      '0.4 s',
      '10 s',
      '1 min 0 s',
      '3 min 5 s',
      '2 h 10 min',
      '3 d 4 h',
    ]);
    assert.equal(formatElapsed(undefined, undefined, 0), undefined);
    assert.equal(formatElapsed('not a time', undefined, 0), undefined);
  });

  test('progress', () => {
    assert.equal(formatProgress({ what: 'pulling', done: 1, total: 3, unit: 'bytes' }), 'pulling 33 %');
    assert.equal(formatProgress({ what: 'pulling', done: 2000, unit: 'bytes' }), 'pulling 2.0 kB');
    assert.equal(formatProgress({ what: 'unpacking', done: 0, unit: 'steps' }), 'unpacking');
    assert.equal(formatProgress(undefined), undefined);
  });
});

describe('the text of a log', () => {
  test('keeps its head and the last lines', () => {
    const log = new LogText(20, '$ command\n\n', false);
    for (let line = 0; line < 100; line++) log.append(`line ${line}\n`);
    assert.match(log.toString(), /^\$ command\n\n… \(earlier lines are left out here\)\nline \d+\n.*line 99\n$/s);
    assert.ok(log.toString().length < 100);
  });

  test('shows progress bars as they ended, without colours', () => {
    const log = new LogText(1000, '', false);
    log.append('10%\r50%\r100%\r\n\u001b[31mred\u001b[0m\n\u001b]0;title\u0007done\n');
    assert.equal(log.toString(), '100%\nred\ndone\n');
  });
});

describe('the cache of files', () => {
  test('drops what was not asked for longest', () => {
    const cache = new ByteCache(100);
    const put = (name: string) => cache.keep(name, new Uint8Array(25));
    for (const name of ['a', 'b', 'c', 'd']) put(name);
    cache.find('a');
    put('e');
    assert.deepEqual(
      ['a', 'b', 'c', 'd', 'e'].filter(name => cache.find(name)),
      ['a', 'c', 'd', 'e'],
    );
    cache.keep('large', new Uint8Array(26));
    assert.equal(cache.find('large'), undefined);
  });
});
