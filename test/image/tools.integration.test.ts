// Images that buildah, umoci and skopeo make, loaded by an unprivileged user, and compared with umoci entry by entry.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { removeTree } from '#image/remove-tree.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';
import { noRegistry, startRegistry } from '../support/registry.ts';
import { Layer } from '../support/tar.ts';
import { readTree } from './rootfs.ts';

const skip = isRoot && existsSync('/usr/bin/apt-get') ? undefined : 'the tools are installed by root on Debian';
let helper: InstalledHelper;
let count = 0;

before(async () => {
  if (skip) return;
  needPackages('umoci', 'skopeo', 'buildah', 'busybox-static');
  helper = await installHelper(findUser());
});
after(() => {
  if (helper) removeTree(helper.folder);
});

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

async function runAsUser(program: string, ...args: string[]): Promise<void> {
  const result = await runAs(helper.user, program, args);
  assert.equal(result.code, 0, `${program} ${args.join(' ')}: ${result.stderr}`);
}

const copy = (...args: string[]) => run('skopeo', 'copy', '--quiet', '--insecure-policy', ...args);

// What every rootfs of ours has more.
const added = /^(\.cwl-on-clusters|proc|dev|sys|tmp|w|t|in|etc\/hosts|etc\/resolv\.conf)$/;
const isTheirs = (path: string) => !added.test(path);

async function readOurs(command: 'load' | 'pull', name: string, ...more: string[]) {
  const store = join(helper.folder, `store${count++}`);
  const loaded = await helper.run(['image', command, name, ...more, '--image-store', store, '--json']);
  assert.equal(loaded.code, 0, `${name}: ${loaded.stderr}`);
  return readTree(JSON.parse(loaded.stdout)[0].rootfs, isTheirs);
}

async function readUmocis(layout: string, tag: string) {
  const bundle = join(helper.folder, `bundle${count++}`);
  await runAsUser('umoci', 'unpack', '--rootless', '--image', `${layout}:${tag}`, bundle);
  return readTree(join(bundle, 'rootfs'), isTheirs);
}

// Each line becomes a layer on top of those before.
const steps = [
  `/bin/busybox --install /bin && mkdir -p /data/keep /data/gone/deep /data/hidden /etc /opt/a/b && cd /data &&
   echo one >keep/one && ln keep/one keep/twin && ln -s ../keep/one hidden/link && echo x >gone/deep/x && echo h >hidden/h &&
   ln -s keep to-keep && ln -s /nowhere dangling && mkfifo pipe && echo s >secret && chmod 0 secret &&
   dd if=/dev/zero of=holes bs=1 count=1 seek=3000000 2>/dev/null && mkdir shut && echo in >shut/in && chmod 0555 shut &&
   echo odd >"$(printf 'line\\nfeed \\377')" && touch -d '1970-01-01 00:00:00' old && echo f >/opt/a/b/f`,
  `cd /data && rm -r gone && rm -r hidden && mkdir hidden && echo new >hidden/new && ln keep/one keep/third &&
   rm to-keep && mkdir to-keep && echo in >to-keep/in && rm -r /opt/a && ln -s /data/keep /opt/a && chmod 0700 keep &&
   mkdir ${'l'.repeat(200)} && echo long >${'l'.repeat(200)}/${'m'.repeat(200)} && ln -s ${'t'.repeat(300)} far &&
   rm shut/in && echo again >shut/again && rm pipe && echo no pipe >pipe`,
  `cd /data && mkdir gone && echo back >gone/back && rm /opt/a && mkdir -p /opt/a/b && echo g >/opt/a/b/g &&
   echo changed >>keep/twin && rm -r ${'l'.repeat(200)} hidden /bin/vi /bin/wget && echo file >hidden && chmod 0 to-keep`,
];

test('layers of buildah', { skip }, async context => {
  const storage = join(helper.folder, 'buildah');
  const options = ['--storage-driver', 'vfs', '--root', storage, '--runroot', `${storage}-run`];
  const buildah = (...args: string[]) => run('buildah', ...options, ...args).trim();
  const tree = join(helper.folder, 'base');
  mkdirSync(join(tree, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
  let container = buildah('from', 'scratch');
  buildah('copy', '--quiet', container, tree, '/');
  const layout = join(helper.folder, 'built');
  for (const [i, step] of steps.entries()) {
    const args = ['run', '--isolation', 'chroot', container, '--', '/bin/busybox', 'sh', '-ec', step];
    const done = spawnSync('buildah', [...options, ...args], { encoding: 'utf8' });
    if (i === 0 && done.status !== 0) {
      context.skip(`buildah can't run anything here: ${done.stderr.slice(0, 200)}`);
      return;
    }
    assert.equal(done.status, 0, done.stderr);
    buildah('commit', '--quiet', container, `step${i}`);
    buildah('push', '--quiet', `step${i}`, `oci:${layout}:step${i}`);
    container = buildah('from', '--pull-never', `step${i}`);
  }
  run('chown', '-R', helper.user.name, layout);
  for (const i of steps.keys()) {
    const theirs = await readUmocis(layout, `step${i}`);
    assert.ok(Object.keys(theirs).length > 200, 'the applets of busybox');
    assert.deepEqual(await readOurs('load', layout, '--name', `x:step${i}`), theirs, `step ${i}`);
  }
  const archive = join(helper.folder, 'buildah.tar');
  buildah('push', '--quiet', 'step2', `docker-archive:${archive}:built:2`);
  assert.deepEqual(await readOurs('load', archive), await readUmocis(layout, 'step2'));
  for (const path of [storage, `${storage}-run`]) removeTree(path);
});

test('layers of umoci: repacked, inserted, opaque', { skip }, async () => {
  const layout = join(helper.folder, 'repacked');
  const layer = new Layer().directory('data').directory('data/sub', 0o555).file('data/sub/old', 'old', 0o400);
  layer.file('data/gone', 'x').file('data/a', 'a').hardlink('data/b', 'data/a').symlink('data/s', 'sub');
  writeLayout(layout, { zero: busyboxImage({ layers: [layer] }) });
  run('chown', '-R', helper.user.name, layout);
  const change = async (script: string, from: string, to: string) => {
    const bundle = join(helper.folder, `bundle${count++}`);
    await runAsUser('umoci', 'unpack', '--rootless', '--image', `${layout}:${from}`, bundle);
    await runAsUser('sh', '-ec', `cd ${bundle}/rootfs/data && ${script}`);
    await runAsUser('umoci', 'repack', '--image', `${layout}:${to}`, bundle);
  };
  await change(
    'rm gone && chmod 755 sub && rm -f sub/old && echo new >sub/new && chmod 0500 sub && rm ../bin/vi && echo b2 >b && chmod 755 b',
    'zero',
    'one',
  );
  await change(
    'rm s && mkdir s && echo in >s/in && chmod 700 sub && rm -r sub && ln -s s sub && ln a c && mv a d',
    'one',
    'two',
  );
  const inserted = join(helper.folder, 'inserted');
  await runAsUser('sh', '-ec', `mkdir ${inserted} && echo fresh >${inserted}/fresh && ln -s fresh ${inserted}/link`);
  const insert = (...args: string[]) => runAsUser('umoci', 'insert', '--rootless', '--image', `${layout}:two`, ...args);
  await insert('--tag', 'three', '--opaque', inserted, '/data/s');
  await insert('--tag', 'four', '--whiteout', '/data/s');
  await insert('--tag', 'five', inserted, '/data/more/deep');
  for (const tag of ['one', 'two', 'three', 'four', 'five']) {
    assert.deepEqual(await readOurs('load', layout, '--name', `x:${tag}`), await readUmocis(layout, tag), tag);
  }
});

test('what skopeo makes of an image: docker-archive, oci-archive, oci, and from a folder to a registry', {
  skip: skip ?? noRegistry,
}, async () => {
  const layout = join(helper.folder, 'copied');
  const layers = [
    new Layer().directory('data').file('data/a', 'a').file('data/gone', 'x').symlink('data/s', 'a'),
    new Layer().directory('data', 0o555).whiteout('data/gone').hardlink('data/b', 'data/a').file('data/c', 'c', 0),
  ];
  writeLayout(layout, { latest: busyboxImage({ layers, compression: ['gzip', 'none', 'gzip'] }) });
  run('chown', '-R', helper.user.name, layout);
  const path = (name: string) => join(helper.folder, name);
  const targets: [string, ...string[]][] = [
    [`docker-archive:${path('docker.tar')}:some/tool:1`, '--additional-tag', 'some/tool:2'],
    [`oci-archive:${path('oci.tar')}:latest`],
    [`oci:${path('oci')}:latest`],
    [`oci:${path('zstd')}:latest`, '--dest-compress-format', 'zstd'],
    [`dir:${path('dir')}`],
    [`dir:${path('dir-v2')}`, '--format', 'v2s2'],
  ];
  for (const [target, ...more] of targets) copy(`oci:${layout}:latest`, target, ...more);
  writeFileSync(path('docker.tar.gz'), gzipSync(readFileSync(path('docker.tar')), { level: 1 }));
  const tree = await readUmocis(layout, 'latest');
  assert.equal(tree['data/b'], '= data/a');
  for (const name of ['docker.tar', 'docker.tar.gz', 'oci.tar', 'oci', 'zstd']) {
    assert.deepEqual(await readOurs('load', path(name)), tree, name);
  }
  const registry = await startRegistry();
  try {
    for (const name of ['dir', 'dir-v2']) {
      copy(`dir:${path(name)}`, `docker://${registry.host}/x/${name}:1`, '--dest-tls-verify=false');
      const pulled = await readOurs('pull', `docker.io/x/${name}:1`, '--mirror', `docker.io=${registry.url}`);
      assert.deepEqual(pulled, tree, name);
    }
  } finally {
    await registry.stop();
  }
});
