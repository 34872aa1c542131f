// What can be wrong from outside: each gets one clear message, and leaves nothing half-made. As an unprivileged user,
// with a real registry, a real full disk, and a kernel that really refuses.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, busyboxImage, busyboxLayer, type TestImage } from '../support/images.ts';
import { findUser, isRoot, needPackages, runAs } from '../support/machine.ts';
import { noRegistry, pushImage, type Registry, startRegistry } from '../support/registry.ts';
import { Layer } from '../support/tar.ts';

/** Executes its arguments where ptrace and user namespaces are refused, as inside a guarded container. */
const guard = `
import errno, os, sys, seccomp as s
f = s.SyscallFilter(s.ALLOW)
for name in ('ptrace', 'unshare'): f.add_rule(s.ERRNO(errno.EPERM), name)
f.add_rule(s.ERRNO(errno.ENOSYS), 'clone3')
f.add_rule(s.ERRNO(errno.EPERM), 'clone', s.Arg(0, s.MASKED_EQ, 0x10000000, 0x10000000))
f.load(); os.execvp(sys.argv[1], sys.argv[1:])`;

let helper: InstalledHelper;
let registry: Registry;
let storage: string;

before(async () => {
  if (noRegistry) return;
  storage = mkdtempSync(join(tmpdir(), 'cwl-bad-registry-'));
  registry = await startRegistry({ folder: storage });
  await pushImage(registry, 'lab/busybox:1', busyboxImage());
  const layers = [busyboxLayer(), new Layer().file('noise', randomBytes(1_000_000)).toBuffer()];
  const damaged = buildImage({ layers });
  await pushImage(registry, 'lab/damaged:1', damaged);
  damage(damaged);
  const big = [busyboxLayer(), new Layer().file('noise', randomBytes(30_000_000)).toBuffer()];
  await pushImage(registry, 'lab/big:1', buildImage({ layers: big }));
  helper = await installHelper(findUser());
});
after(async () => {
  await registry?.stop();
  helper?.remove();
  if (storage) rmSync(storage, { recursive: true, force: true });
});

/** Turns one byte of the image's last layer around, on the registry's disk. */
function damage(image: TestImage): void {
  const { layers } = JSON.parse(image.manifest.toString()) as { layers: { digest: string }[] };
  const hex = layers.at(-1)?.digest.slice('sha256:'.length) ?? '';
  const path = join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  const data = readFileSync(path);
  data[5000] = (data[5000] as number) ^ 0xff;
  writeFileSync(path, data);
}

function write(name: string, text: string): string {
  const path = join(helper.folder, name);
  writeFileSync(path, text);
  return path;
}

function tool(command: string[], image?: string): string {
  const docker = image ? `requirements: { DockerRequirement: { dockerPull: "${image}" } }\n` : '';
  const body = `baseCommand: ${JSON.stringify(command)}\ninputs: []\noutputs: { out: stdout }\nstdout: out.txt\n`;
  return write(
    `tool-${randomBytes(4).toString('hex')}.cwl`,
    `cwlVersion: v1.2\nclass: CommandLineTool\n${docker}${body}`,
  );
}

/** Runs to a failure, and checks what must hold for every one: nothing on stdout, no stack, no outputs. */
async function fail(
  args: string[],
  options: Parameters<InstalledHelper['run']>[1] = {},
): Promise<{ code: number | null; text: string }> {
  const outdir = join(helper.folder, `out-${randomBytes(4).toString('hex')}`);
  const mirrors = ['--mirror', `quay.io=${registry.url}`, '--mirror', 'docker.io=http://127.0.0.1:9'];
  const { code, stdout, stderr } = await helper.run(['run', '--outdir', outdir, ...mirrors, ...args], options);
  checkEnd(stdout, stderr);
  const left = existsSync(outdir) ? readdirSync(outdir).filter(name => !name.startsWith('.cwl-run-')) : [];
  assert.deepEqual(left, []);
  return { code, text: stderr };
}

function checkEnd(stdout: string, stderr: string): void {
  assert.equal(stdout, '');
  assert.doesNotMatch(stderr, /fault in the helper|^\s+at /m, stderr);
}

/** The store holds whole images only. */
function checkStore(home = helper.home): void {
  assert.deepEqual(readdirSync(join(home, 'images', 'temporary')), []);
}

describe('bad input', { skip: noRegistry }, () => {
  test('no such image', async () => {
    const { code, text } = await fail([tool(['true'], 'quay.io/lab/none:1')]);
    assert.equal(code, 1);
    assert.match(text, /no image quay\.io\/lab\/none:1/);
    checkStore();
  });

  test('no registry', async () => {
    const { code, text } = await fail([tool(['true'], 'docker.io/lab/busybox:1')]);
    assert.equal(code, 1);
    assert.match(text, /ECONNREFUSED 127\.0\.0\.1:9\n.*--mirror/);
    checkStore();
  });

  test('a layer of another digest', async () => {
    const { code, text } = await fail([tool(['true'], 'quay.io/lab/damaged:1')]);
    assert.equal(code, 1);
    assert.match(text, /has the digest sha256:[0-9a-f]{64}, not sha256:[0-9a-f]{64}\n.*nothing of it was kept/);
    checkStore();
    assert.doesNotMatch((await helper.run(['image', 'list'])).stdout, /damaged/);
  });

  test('a document with faults', async () => {
    const path = write(
      'faults.cwl',
      'cwlVersion: v1.2\nclass: CommandLineTool\nbaseComand: x\ninputs: { f: Fil }\noutputs: []\n',
    );
    const { code, text } = await fail([path]);
    assert.equal(code, 1);
    assert.match(text, /faults\.cwl:3:1: .*baseComand.*\n.*faults\.cwl:4:14: .*Fil/);
  });

  test('no document', async () => {
    const { code, text } = await fail([join(helper.folder, 'missing.cwl')]);
    assert.equal(code, 1);
    assert.match(text, /missing\.cwl does not exist/);
  });

  test('a missing input file', async () => {
    const path = write(
      'cat.cwl',
      'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: cat\ninputs: { f: { type: File, inputBinding: {} } }\noutputs: []\n',
    );
    const { code, text } = await fail([path, '--f', 'nowhere.txt']);
    assert.equal(code, 1);
    assert.match(text, /input f: there is no file .*nowhere\.txt/);
  });

  test('a tool that ends with another status', async () => {
    const { code, text } = await fail(['--no-container', tool(['sh', '-c', 'echo it broke >&2; exit 7'])]);
    assert.equal(code, 1);
    assert.match(text, /exit code 7\n(.*\n)*.*it broke/);
  });

  test('wrong options', async () => {
    assert.equal((await fail(['--frobnicate', 'x.cwl'])).code, 2);
    for (const args of [
      [],
      ['frobnicate'],
      ['run'],
      ['runs', 'show'],
      ['locks', '--x'],
      ['serve', 'x'],
      ['image', 'x'],
    ]) {
      const { code, stdout, stderr } = await helper.run(args);
      assert.equal(code, 2, args.join(' '));
      checkEnd(stdout, stderr);
      assert.notEqual(stderr, '');
    }
  });

  test('ptrace and user namespaces forbidden', async t => {
    needPackages('python3-seccomp');
    if (!existsSync(join(helper.folder, 'bin'))) return t.skip('there is no dist/kit: npm run build makes it');
    const env = { CWL_ON_CLUSTERS_HOME: join(helper.folder, 'guarded') };
    const args = [
      helper.node,
      helper.bundle,
      'run',
      '--mirror',
      `quay.io=${registry.url}`,
      tool(['true'], 'quay.io/lab/busybox:1'),
    ];
    const { code, stdout, stderr } = await runAs(helper.user, '/usr/bin/python3', ['-c', guard, ...args], {
      cwd: helper.folder,
      env,
    });
    assert.equal(code, 1);
    checkEnd(stdout, stderr);
    assert.match(stderr, /no sandbox works on this node/);
    assert.match(stderr, /user\.max_user_namespaces/);
    assert.match(stderr, /kernel\.yama\.ptrace_scope/);
  });

  describe('a full disk', { skip: isRoot ? false : 'only root can mount a small file system' }, () => {
    let small: string;
    before(() => {
      small = join(helper.folder, 'small');
      mkdirSync(small);
      const { status, stderr } = spawnSync(
        'mount',
        ['-t', 'tmpfs', '-o', `size=12m,uid=${helper.user.uid}`, 'cwl-test', small],
        { encoding: 'utf8' },
      );
      assert.equal(status, 0, stderr);
    });
    after(() => spawnSync('umount', ['-l', small]));

    test('before an image is unpacked', async () => {
      const env = { CWL_ON_CLUSTERS_HOME: small };
      const { code, text } = await fail([tool(['true'], 'quay.io/lab/big:1')], { env });
      assert.equal(code, 1);
      assert.match(text, /needs at least .* MB, and .* has .* MB left\n.*image prune/);
      checkStore(small);
    });

    test('while a run is being written', async () => {
      const { code, stdout, stderr } = await helper.run([
        'run',
        '--no-container',
        '--outdir',
        join(small, 'out'),
        tool(['head', '-c', '40000000', '/dev/zero']),
      ]);
      assert.equal(code, 1);
      checkEnd(stdout, stderr);
      assert.match(stderr, /the disk that it writes to is full/);
      assert.equal(existsSync(join(small, 'out', 'out.txt')), false);
    });

    test('before a run begins', async () => {
      const home = join(small, 'home');
      const filler = join(small, 'filler');
      spawnSync('rm', ['-rf', ...readdirSync(small).map(name => join(small, name))]);
      const started = await helper.run(['runs', 'list'], { env: { CWL_ON_CLUSTERS_HOME: home } });
      assert.equal(started.code, 0);
      spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k'], { stdio: 'ignore' });
      const { code, stderr } = await helper.run(
        ['run', '--no-container', '--outdir', join(small, 'o2'), tool(['true'])],
        { env: { CWL_ON_CLUSTERS_HOME: home } },
      );
      assert.equal(code, 1, stderr);
      assert.match(stderr, /full|space|ENOSPC|quota/i);
      checkEnd('', stderr);
    });
  });
});
