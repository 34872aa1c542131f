import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { parseProbe } from '#remote/probe-host.ts';

const el7 = [
  'system=Linux 3.10.0-1160.el7.x86_64 x86_64',
  'platform=linux-x64',
  'user=ann',
  'hostname=login1',
  'chosen=/home/ann/.cwl-on-clusters',
  'libc=glibc 2.17',
  'found=x64 10.24.1 /usr/bin/node',
  'found=x64 22.14.0 /opt/node 22/bin/node',
  'found=x64 22.15.0 /opt/node 22.15/bin/node',
  'quota=nfs1:/home 1990000 1500000 2000000',
  'folder=yes yes nfs1:/home 5000000 /home/ann/.cwl-on-clusters',
  'folder=yes no /dev/sdb1  /scratch/ann',
  'folder=yes no /dev/sdb1 7 /scratch/ann',
].join('\n');

test('the report names the first Node that is new enough', () => {
  const report = parseProbe(el7, '$HOME/.cwl-on-clusters');
  assert.equal(report.libc, 'glibc 2.17');
  assert.deepEqual(report.node, { path: '/opt/node 22.15/bin/node', version: '22.15.0', platform: 'linux-x64' });
});

test('a Node of another kind of processor is no use', () => {
  assert.equal(parseProbe(el7.replaceAll('=x64 ', '=arm64 '), '').node, undefined);
});

test('folders come with free space and what the quota leaves', () => {
  const { folders } = parseProbe(el7, '');
  assert.deepEqual(
    folders.map(({ path, freeBytes, quotaFreeBytes }) => ({ path, freeBytes, quotaFreeBytes })),
    [
      { path: '/home/ann/.cwl-on-clusters', freeBytes: 5_120_000_000, quotaFreeBytes: 10_240_000 },
      { path: '/scratch/ann', freeBytes: undefined, quotaFreeBytes: undefined },
    ],
  );
});

test('an installed kit is named with its Node', () => {
  const text = 'system=Linux\nplatform=linux-arm64\nchosen=/x\nnode=/x/kit/runtime-1/runtime/node\ndigest=abc';
  assert.deepEqual(parseProbe(text, '').installed, {
    home: '/x',
    platform: 'linux-arm64',
    digest: 'abc',
    helper: '/x/kit/abc/helper.cjs',
    node: '/x/kit/runtime-1/runtime/node',
  });
});

test('other systems have no platform', () => {
  assert.equal(parseProbe('system=Darwin 24 arm64\nplatform=\nchosen=/x', '').platform, undefined);
});

test('a variable that is not set is named', () => {
  assert.throws(
    () => parseProbe('unset=SCRATCH', '$SCRATCH/cwl'),
    error => isFailure(error, 'remote/folder') && error.message.includes('SCRATCH'),
  );
});
