import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { layOut, mapLocations } from '#extension/source-layout.ts';

describe('the layout of a run’s sources', () => {
  test('documents lie to each other as on the machine of the user', () => {
    const layout = layOut([
      'file:///home/me/wf/main.cwl',
      'file:///home/me/wf/tools/a.cwl',
      'file:///home/me/data/r.fq',
    ]);
    assert.equal(layout.find('file:///home/me/wf/main.cwl'), 'wf/main.cwl');
    assert.equal(layout.find('file:///home/me/wf/tools/a.cwl'), 'wf/tools/a.cwl');
    assert.equal(layout.find('file:///home/me/data/r.fq'), 'data/r.fq');
    assert.equal(layout.find('file:///home/me/other'), undefined);
  });

  test('one document alone lies at the top', () => {
    assert.equal(layOut(['file:///a/b/tool.cwl']).find('file:///a/b/tool.cwl'), 'tool.cwl');
  });

  test('spelling, drive letters and the end of a folder do not matter', () => {
    const layout = layOut(['file:///c%3A/wf/a%2Bb.cwl', 'file:///c%3A/data/d']);
    assert.equal(layout.find('file:///c:/wf/a+b.cwl'), 'wf/a+b.cwl');
    assert.equal(layout.find('file:///c%3A/data/d/'), 'data/d');
  });

  test('a name never leads out of the folder', () => {
    const layout = layOut(['file:///a/x%2F..%2F..%2Fy.cwl', 'file:///a/z.cwl']);
    assert.equal(layout.find('file:///a/x%2F..%2F..%2Fy.cwl'), 'x%2F..%2F..%2Fy.cwl');
  });
});

describe('the locations of an input object', () => {
  const layout = layOut(['file:///w/main.cwl', 'file:///w/in/a%20b.txt']);
  test('of what is uploaded they become relative, of the rest paths on the cluster', () => {
    const inputs = {
      here: { class: 'File', location: 'file:///w/in/a%20b.txt', format: 'x' },
      there: [{ class: 'Directory', location: 'file:///scratch/d%20d' }],
      web: { class: 'File', location: 'https://example.org/x' },
      literal: { class: 'File', contents: 'x' },
      count: 3,
    };
    assert.deepEqual(mapLocations(inputs, layout), {
      here: { class: 'File', location: 'in/a%20b.txt', format: 'x' },
      there: [{ class: 'Directory', location: '/scratch/d d' }],
      web: { class: 'File', location: 'https://example.org/x' },
      literal: { class: 'File', contents: 'x' },
      count: 3,
    });
  });

  test('secondary files and listings are mapped too', () => {
    const secondaryFiles = [{ class: 'File', location: 'file:///w/in/a%20b.txt' }];
    assert.deepEqual(mapLocations({ class: 'File', location: 'file:///w/main.cwl', secondaryFiles }, layout), {
      class: 'File',
      location: 'main.cwl',
      secondaryFiles: [{ class: 'File', location: 'in/a%20b.txt' }],
    });
  });
});
