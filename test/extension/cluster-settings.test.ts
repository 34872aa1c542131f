import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkName, parseClusters, suggestName } from '#extension/cluster-settings.ts';

describe('the setting cwl.clusters', () => {
  test('a good entry is taken as it is, without what it does not say', () => {
    const entry = { name: 'lab', host: ' me@lab:22 ', parallel: 4, mirrors: { 'docker.io': 'http://m' }, folder: '' };
    const more = { ...entry, pullFrom: 'local', engine: 'docker', dockerCommand: '/opt/bin/udocker' };
    const copy = { name: 'lab', host: 'me@lab:22', parallel: 4, mirrors: { 'docker.io': 'http://m' } };
    assert.deepEqual(parseClusters([more]).clusters, [
      { ...copy, pullFrom: 'local', engine: 'docker', dockerCommand: '/opt/bin/udocker' },
    ]);
    assert.deepEqual(parseClusters([entry]), {
      clusters: [copy],
      faults: [],
    });
    assert.deepEqual(parseClusters(undefined), { clusters: [], faults: [] });
  });

  const faultOf = (entry: unknown) => parseClusters([{ name: 'a', host: 'a' }, entry]).faults[0];
  test('each fault is named, and the others are kept', () => {
    assert.match(faultOf(7) ?? '', /entry 2: an object/);
    assert.match(faultOf({ host: 'b' }) ?? '', /no name/);
    assert.match(faultOf({ name: 'A', host: 'b' }) ?? '', /already/);
    assert.match(faultOf({ name: 'a b', host: 'b' }) ?? '', /letters/);
    assert.match(faultOf({ name: 'b' }) ?? '', /no host/);
    assert.match(faultOf({ name: 'b', host: 'b', folder: 1 }) ?? '', /folder must be a text/);
    assert.match(faultOf({ name: 'b', host: 'b', dockerCommand: [] }) ?? '', /dockerCommand must be a text/);
    assert.match(faultOf({ name: 'b', host: 'b', mirrors: { x: 1 } }) ?? '', /mirrors must be/);
    assert.match(faultOf({ name: 'b', host: 'b', parallel: 0 }) ?? '', /parallel/);
    assert.match(faultOf({ name: 'b', host: 'b', pullFrom: 'here' }) ?? '', /pullFrom must be auto, cluster or local/);
    assert.match(faultOf({ name: 'b', host: 'b', outputFolder: 'out' }) ?? '', /absolute/);
    assert.equal(parseClusters([7, { name: 'a', host: 'a' }]).clusters.length, 1);
    assert.match(parseClusters({}).faults[0] ?? '', /list/);
  });

  test('a name is suggested for a host', () => {
    assert.equal(suggestName('me@login.example.org:2222', []), 'login.example.org');
    assert.equal(suggestName('ssh://me@lab', ['LAB']), 'lab-2');
    assert.equal(suggestName('[::1]', []), '1');
    assert.equal(suggestName('!!', []), 'cluster');
    assert.equal(checkName('lab', []), undefined);
  });
});
