// A store that a Unix group uses together, by users whose umask keeps all of their files to themselves.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, run, type User } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';

const noUsers = isRoot ? false : 'several users need root';

suite('a store of a group', { skip: noUsers, timeout: 120_000 }, () => {
  let folder: string;
  let store: string;
  let helper: InstalledHelper;
  const [ann, ben] = [findUser('cwl-test'), findUser('cwl-test-ben')];
  // The number of a group that no account has for its own.
  const group = 54_321;

  before(async () => {
    helper = await installHelper(ann);
    folder = mkdtempSync(join(tmpdir(), 'cwl-shared-'));
    run('chmod', ['755', folder, helper.folder]);
    store = join(folder, 'images');
    const first = new Layer().directory('private', 0o700).file('private/file', 'x', 0o600).file('none', 'x', 0o000);
    const second = new Layer().file('second', 'x');
    writeLayout(join(folder, 'layout'), {
      'lab/first:1': busyboxImage({ layers: [first] }),
      'lab/second:1': busyboxImage({ layers: [second] }),
      'lab/third:1': buildImage({ layers: [second] }),
      'lab/root:1': busyboxImage({ layers: [new Layer().file('root', 'x')] }),
      'lab/fourth:1': busyboxImage({ layers: [first, second] }),
    });
    run('chmod', ['-R', 'a+rX', folder]);
    run('mkdir', [store]);
    chownSync(store, ann.uid, group);
  });
  after(() => {
    helper.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test('what its members could not read is theirs once it is shared, and what comes later too', () => {
    as(ann, ['image', 'load', '--name', 'lab/first:1', join(folder, 'layout')]);
    assert.notEqual(unreadable(ben), '', 'the umask keeps it from others');
    const said = as(ann, ['image', 'share']);
    assert.match(said.stdout, /images is shared with its group/);
    assert.equal(unreadable(ben), `${rootOf(ben, 'lab/first:1')}/none\n`, 'its owner can not read it either');
    as(ben, ['image', 'load', '--name', 'lab/second:1', join(folder, 'layout')]);
    assert.match(as(ann, ['image', 'list']).stdout, /lab\/first:1[\s\S]*lab\/second:1/);
    assert.ok(existsSync(join(rootOf(ann, 'lab/second:1'), 'second')));
    assert.equal(unreadable(ann), `${rootOf(ann, 'lab/first:1')}/none\n`);
  });

  test('a member runs what another one has brought', () => {
    const tool = join(folder, 'tool.cwl');
    writeFileSync(
      tool,
      JSON.stringify({
        cwlVersion: 'v1.2',
        class: 'CommandLineTool',
        requirements: { DockerRequirement: { dockerPull: 'lab/first:1' } },
        baseCommand: ['cat', '/private/file'],
        inputs: {},
        outputs: { out: 'stdout' },
      }),
    );
    const outdir = join(folder, 'out');
    run('mkdir', ['-m', '777', outdir]);
    as(ben, ['run', '--quiet', '--pull', 'never', '--outdir', outdir, tool]);
  });

  test('images share the files of layers with those of the same user, and not with others', () => {
    as(ben, ['image', 'load', '--name', 'lab/fourth:1', join(folder, 'layout')]);
    const [first, second, fourth] = ['first', 'second', 'fourth'].map(name => rootOf(ben, `lab/${name}:1`));
    const inodes = (name: string) => [first, second, fourth].map(root => statSync(join(root as string, name)).ino);
    const [annsShell, bensShell, sharedShell] = inodes('bin/busybox');
    assert.notEqual(annsShell, bensShell);
    assert.equal(bensShell, sharedShell);
    assert.equal(run('find', [fourth as string, '-not', '-uid', `${ben.uid}`]), '');
    const own = statSync(join(fourth as string, 'private/file'));
    assert.deepEqual([own.nlink, own.uid, own.mode & 0o777], [1, ben.uid, 0o640]);
    // Root could link any file.
    const environment = { PATH: process.env.PATH, HOME: folder, CWL_ON_CLUSTERS_HOME: join(folder, 'home-root') };
    const load = [helper.bundle, 'image', 'load', '--name', 'lab/root:1', '--image-store', store, '--json'];
    const made = spawnSync(helper.node, [...load, join(folder, 'layout')], { encoding: 'utf8', env: environment });
    assert.equal(made.status, 0, made.stderr);
    assert.equal(run('find', [JSON.parse(made.stdout)[0].rootfs, '-not', '-uid', '0']), '');
  });

  test('only who made an image removes it', () => {
    const refused = as(ben, ['image', 'remove', 'lab/first:1'], 1);
    assert.match(refused.stderr, /was made by the user with the number \d+\nOnly they can remove it/);
    as(ann, ['image', 'load', '--name', 'lab/third:1', join(folder, 'layout')]);
    as(ben, ['image', 'prune']);
    assert.match(as(ben, ['image', 'list']).stdout, /lab\/first:1[\s\S]*lab\/third:1/);
    as(ben, ['image', 'remove', 'lab/second:1']);
    as(ann, ['image', 'remove', 'lab/first:1']);
    assert.doesNotMatch(as(ben, ['image', 'list']).stdout, /first|second/);
  });

  test('who is not in the group, or not its owner, is told what to do', () => {
    const own = join(folder, 'own');
    run('mkdir', [own]);
    chownSync(own, ann.uid, 1);
    const refused = as(ann, ['image', 'share', '--image-store', own], 1);
    assert.match(refused.stderr, /can't be opened to its group by you.*chgrp/s);
    assert.ok(!existsSync(join(own, 'shared')));
  });

  /** With the group as the only one, and a umask for the careful. */
  function as(user: User, args: string[], status = 0): { stdout: string; stderr: string } {
    const where = args.includes('--image-store') ? [] : ['--image-store', store];
    const at = args[0] === 'image' ? 2 : 1;
    const command = [helper.node, helper.bundle, ...args.slice(0, at), ...where, ...args.slice(at)];
    const home = join(folder, `home-${user.name}`);
    run('mkdir', ['-p', home]);
    chownSync(home, user.uid, group);
    const result = execute(user, home, ['sh', '-c', 'umask 077; exec "$@"', 'sh', ...command]);
    assert.equal(result.status, status, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    return result;
  }

  function unreadable(user: User): string {
    return execute(user, folder, ['find', store, '-not', '-type', 'l', '-not', '-readable']).stdout;
  }

  function rootOf(user: User, name: string): string {
    return JSON.parse(as(user, ['image', 'inspect', name]).stdout)[0].rootfs;
  }

  function execute(user: User, home: string, argv: string[]) {
    const identity = [`--reuid=${user.uid}`, `--regid=${group}`, '--clear-groups'];
    return spawnSync('setpriv', [...identity, '--', ...argv], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: home, CWL_ON_CLUSTERS_HOME: home },
    });
  }
});
