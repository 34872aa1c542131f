import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFinding, describeNode } from '#extension/node-tree.ts';
import type { NodeReport } from '#protocol/probe.ts';

const report: NodeReport = {
  hostname: 'login1',
  className: 'login#',
  tested: '2026-01-01T00:00:00.000Z',
  engines: [],
  best: 'userns',
  findings: [],
};
const look = (more: Partial<NodeReport>) => {
  const { icon, label, description } = describeNode(
    { ...report, ...more },
    'login1',
    Date.parse(report.tested) + 7_260_000,
  );
  return `${icon} ${label}: ${description}`;
};

test('a node says what its images run with, and where it was tested', () => {
  assert.equal(look({}), 'pass login1: images run at full speed · login node · tested 2 h 1 min ago');
  const job = { hostname: 'cn7', job: 'Slurm job 4711' };
  assert.equal(
    look({ ...job, best: 'proot' }),
    'pass cn7: images run with PRoot · Slurm job 4711 · tested 2 h 1 min ago',
  );
  assert.match(look({ best: 'proot-slow' }), /^warning login1: images run slowly/);
  assert.match(look({ best: undefined }), /^error login1: images can’t be run · login node/);
  assert.match(look({ job: 'Slurm job 1' }), /· Slurm job 1 ·/, 'a job on the login node is one');
});

test('what is missing is told apart from what is there', () => {
  const finding = { what: 'Landlock', isGood: true, message: 'works' };
  assert.equal(describeFinding(finding).icon, 'check');
  assert.equal(describeFinding({ ...finding, isGood: false }).icon, 'info');
});
