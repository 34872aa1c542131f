// Locks on real mounts: a FUSE file system that keeps them on one machine, one that does not answer, and a kernel that
// refuses them.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as protocol from '#protocol/messages.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';

const skip = isRoot && existsSync('/dev/fuse') ? false : 'only root with FUSE can mount a file system here';
const guard = `
import errno, os, sys, seccomp as s
f = s.SyscallFilter(s.ALLOW)
f.add_rule(s.ERRNO(errno.ENOSYS), 'flock')
for c in (6, 7, 37, 38): f.add_rule(s.ERRNO(errno.ENOLCK), 'fcntl', s.Arg(1, s.EQ, c))
f.load(); os.execvp(sys.argv[1], sys.argv[1:])`;

let helper: InstalledHelper;
let place: string;
let mount: string;
let daemon: ChildProcess;

before(async () => {
  if (skip) return;
  needPackages('bindfs', 'fuse3', 'python3-seccomp');
  helper = await installHelper(findUser());
  place = mkdtempSync(join(tmpdir(), 'cwl-locks-'));
  spawnSync('chmod', ['755', place]);
  mount = join(place, 'mount');
  for (const folder of ['real', 'mount']) mkdirSync(join(place, folder));
  chownSync(join(place, 'real'), helper.user.uid, helper.user.gid);
  daemon = spawn('bindfs', ['-f', '-o', 'allow_other', join(place, 'real'), mount], {
    stdio: 'ignore',
  });
  for (let wait = 0; wait < 200 && spawnSync('mountpoint', ['-q', mount]).status !== 0; wait++) await sleep(25);
});
after(async () => {
  if (skip) return;
  daemon.kill('SIGCONT');
  spawnSync('umount', ['-l', mount]);
  daemon.kill();
  rmSync(place, { recursive: true });
  helper.remove();
});

test('a file system that keeps locks on one machine is warned of', { skip }, async () => {
  const { code, stdout } = await helper.run(['locks', join(mount, 'not', 'yet'), '/tmp']);
  assert.equal(code, 1);
  assert.match(stdout, /mount\/not\/yet +fuse +node +node +\/.*\/real\n/);
  assert.equal(stdout.match(/^warning: /gm)?.length, 1);
  const json = await helper.run(['locks', '--json', '--try', mount]);
  const [finding] = JSON.parse(json.stdout) as { severity: string; tried: { result: string } }[];
  assert.equal(finding?.severity, 'warning');
  assert.equal(finding?.tried.result, 'holds');
  assert.deepEqual(readdirSync(mount), [], 'the trial leaves nothing');
});

test('a run that writes there is told so, and keeps it', { skip }, async () => {
  const served = helper.serve();
  const told: string[] = [];
  served.connection.onNotification(protocol.lockConflict, finding => void told.push(`${finding.run} ${finding.path}`));
  const content = 'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: "true"\ninputs: []\noutputs: []\n';
  const digest = createHash('sha256').update(content).digest('hex');
  await served.connection.sendRequest(protocol.putSource, { digest, base64: Buffer.from(content).toString('base64') });
  const outdir = join(mount, 'results');
  const { id } = await served.connection.sendRequest(protocol.startRun, {
    sources: [{ path: 'true.cwl', digest }],
    tool: 'true.cwl',
    inputs: {},
    label: 'true',
    outdir,
    options: { engine: 'host' },
  });
  const detail = await served.connection.sendRequest(protocol.showRun, { id });
  assert.deepEqual(
    detail.locks?.map(finding => [finding.path, finding.fileSystem]),
    [[outdir, 'fuse']],
  );
  assert.deepEqual(told, [`${id} ${outdir}`]);
  const [checked] = await served.connection.sendRequest(protocol.checkLocks, { paths: [outdir] });
  assert.equal(checked?.severity, 'warning');
  await served.close();
});

test('locks that are refused are found by trying', { skip }, async () => {
  const args = ['-c', guard, helper.node, helper.bundle, 'locks', '--try', helper.folder];
  const { code, stdout } = await runAs(helper.user, '/usr/bin/python3', args, { cwd: helper.folder });
  assert.equal(code, 1);
  assert.match(stdout, /flock refused: Function not implemented, fcntl refused: No locks available/);
});

test('a file system that does not answer holds nobody up', { skip }, async () => {
  daemon.kill('SIGSTOP');
  const start = Date.now();
  const { code, stdout } = await helper.run(['locks', join(mount, 'anything')]);
  daemon.kill('SIGCONT');
  assert.ok(Date.now() - start < 9000);
  assert.equal(code, 1);
  assert.match(stdout, /did not answer within 5 s: its file system \(.*\/real\) may be down/);
});
