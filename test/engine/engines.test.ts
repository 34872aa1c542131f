import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { makeApptainerEngine } from '#engine/apptainer-engine.ts';
import { makeDockerEngine } from '#engine/docker-engine.ts';
import { makeFakechrootEngine, planShellTest } from '#engine/fakechroot-engine.ts';
import { hostEngine } from '#engine/host-engine.ts';
import { makeProotEngine } from '#engine/proot-engine.ts';
import type { Sandbox } from '#engine/sandbox.ts';
import { planFeatures, planSelfTest } from '#engine/self-test.ts';
import { makeUsernsEngine } from '#engine/userns-engine.ts';

const tools = { proot: '/k/proot', prootLoader: '/k/proot-loader', launcher: '/k/launcher', userns: '/k/userns' };
const proot = makeProotEngine(tools, { acceleration: true, landlock: 0, networkNamespaces: false });
const userns = makeUsernsEngine(tools);
const sandbox: Sandbox = {
  rootfs: '/images/x',
  binds: [
    { host: '/runs/1/work', guest: '/w', writable: true },
    { host: '/data/a:b!', guest: '/in/0/a:b!', writable: false },
  ],
  cwd: '/w',
  env: { HOME: '/w' },
  argv: ['tool', '--option'],
  network: false,
};

/** The values that follow each `option` before `end`. */
function valuesOf(argv: readonly string[], option: string): string[] {
  return argv.flatMap((word, index) => (argv[index - 1] === option ? [word] : []));
}

test('PRoot is told every bind, and nothing by -R or -S', () => {
  const { argv, env, cwd } = proot.planCommand(sandbox, '/t/1');
  assert.deepEqual(argv.slice(0, 5), ['/k/launcher', '--die-with-parent', '--devices', '/t/1/dev', '--no-network']);
  assert.deepEqual(argv.slice(-2), ['tool', '--option']);
  const binds = valuesOf(argv, '-b');
  assert.ok(binds.includes('/runs/1/work//:/w'));
  // A final exclamation mark is an order to PRoot: doubled, it is a name.
  assert.ok(binds.includes('/data/a:b!//!:/in/0/a:b!!'));
  assert.ok(binds.includes('/etc/hosts//!:/etc/hosts') && !binds.some(each => each.includes('resolv.conf')));
  assert.ok(!argv.some(word => ['-R', '-S', '-k', '-0', '-i'].includes(word)));
  assert.ok(!binds.some(each => each.startsWith('/home') || each.startsWith('/root')));
  assert.equal(cwd, '/t/1');
  assert.deepEqual(env, {
    HOME: '/w',
    PROOT_TMP_DIR: '/t/1',
    PROOT_DONT_POLLUTE_ROOTFS: '1',
    PROOT_IGNORE_MISSING_BINDINGS: '1',
    PROOT_LOADER: '/k/proot-loader',
    PROOT_READ_ONLY: '1',
  });
});

test('what starts many processes can leave the network once for all of them', () => {
  assert.equal(proot.offlineFront, undefined);
  const engine = makeProotEngine(tools, { acceleration: true, landlock: 0, networkNamespaces: true });
  assert.deepEqual(engine.offlineFront, ['/k/launcher', '--own-network', '--']);
  assert.ok(!engine.planCommand(sandbox, '/t/1', { isOffline: true }).argv.includes('--no-network'));
  assert.ok(engine.planCommand(sandbox, '/t/1').argv.includes('--no-network'));
  assert.deepEqual(userns.offlineFront, engine.offlineFront);
  assert.ok(userns.planCommand(sandbox, '/t/1', { isOffline: true }).argv.includes('--network'));
  assert.ok(!userns.planCommand(sandbox, '/t/1').argv.includes('--network'));
});

test('a container is told all on its command line but the values of variables', () => {
  const client = {
    program: '/usr/bin/podman',
    name: 'podman',
    isInPlace: true,
    userns: 'keep-id' as const,
    isKnown: true,
    isPodman: true,
    env: { HOME: '/home/me', REAL: '1' },
  };
  const podman = makeDockerEngine(client);
  const plain = { ...sandbox, binds: [{ host: '/in', guest: '/in', writable: false }], kernelRelease: undefined };
  const env = { TOKEN: 'secret', LD_PRELOAD: '/w/evil.so', DOCKER_HOST: 'tcp://evil', HOME: '/w', REAL: '2' };
  const run = podman.planCommand({ ...plain, env, user: undefined, network: false }, '/t/1');
  const own = run.argv.slice(0, run.argv.indexOf('--rootfs'));
  assert.deepEqual(run.env, { TOKEN: 'secret', HOME: '/home/me', REAL: '1' });
  assert.ok(!own.some(word => word.includes('secret')));
  assert.deepEqual(valuesOf(own, '--env'), [
    'TOKEN',
    'LD_PRELOAD=/w/evil.so',
    'DOCKER_HOST=tcp://evil',
    'HOME=/w',
    'REAL=2',
  ]);
  assert.deepEqual(valuesOf(own, '--volume'), ['/in:/in:ro']);
  assert.deepEqual(valuesOf(own, '--network'), ['none']);
  assert.deepEqual(valuesOf(own, '--userns'), ['keep-id']);
  assert.deepEqual(valuesOf(run.argv, '--rootfs'), [`${sandbox.rootfs}:O`]);
  assert.deepEqual(run.argv.slice(-sandbox.argv.length), sandbox.argv);
  assert.deepEqual(podman.planEnd?.('/t/1').argv.slice(-2), ['/usr/bin/podman', '/t/1/container-id']);

  const bind = (host: string) =>
    podman.planCommand({ ...plain, binds: [{ host, guest: '/in', writable: false }] }, '/t/1').argv;
  assert.deepEqual(valuesOf(bind('/a:b'), '--mount'), ['type=bind,source=/a:b,target=/in,readonly']);
  assert.throws(() => bind('/a:b,c'), { code: 'engine/path' });
  assert.throws(() => podman.planCommand({ ...plain, rootfs: '/a:b/root' }, '/t'), { code: 'engine/path' });
  assert.throws(() => podman.planCommand({ ...plain, kernelRelease: '4.18.0' }, '/t'), {
    code: 'engine/kernel-too-old',
  });

  const docker = makeDockerEngine({ ...client, isPodman: false, isInPlace: false, isKnown: false, userns: undefined });
  const hex = 'ab'.repeat(32);
  const { argv } = docker.planCommand({ ...plain, rootfs: `/images/${hex}/root`, network: true }, '/t/1');
  assert.deepEqual(valuesOf(argv, '--pull'), ['never']);
  assert.ok(argv.includes(`cwl-on-clusters:${hex}`));
  assert.deepEqual(valuesOf(argv, '--network'), ['host']);
  assert.deepEqual(docker.rules, { network: 'open', writes: 'open', inputs: 'checked', rootfs: 'open' });
});

test('apptainer gets variables under names of its own', () => {
  const client = { program: '/usr/bin/apptainer', name: 'apptainer' as const, env: { PATH: '/bin', HOME: '/home/me' } };
  const apptainer = makeApptainerEngine(client);
  const plain = {
    rootfs: '/images/x',
    binds: [
      { host: '/runs/1/w', guest: '/w', writable: true },
      { host: '/data/in', guest: '/in/0/in', writable: false },
      { host: '/data/a:b,"c"', guest: '/in/1/a', writable: false },
    ],
    cwd: '/w',
    env: { HOME: '/w', PATH: '/usr/bin', TOKEN: 'secret' },
    argv: ['tool', '--option'],
    network: false,
  };
  const { argv, env } = apptainer.planCommand(plain, '/t/1');
  assert.deepEqual(env, {
    APPTAINERENV_PATH: '/usr/bin',
    APPTAINERENV_TOKEN: 'secret',
    PATH: '/bin',
    HOME: '/home/me',
  });
  assert.deepEqual(valuesOf(argv, '--home'), ['/runs/1/w:/w']);
  assert.deepEqual(valuesOf(argv, '--bind'), ['/data/in:/in/0/in:ro']);
  assert.deepEqual(valuesOf(argv, '--mount'), ['"type=bind","source=/data/a:b,""c""","destination=/in/1/a","ro"']);
  assert.deepEqual(valuesOf(argv, '--network'), ['none']);
  assert.deepEqual(argv.slice(-3), ['/images/x', 'tool', '--option']);
  assert.ok(!apptainer.planCommand({ ...plain, network: true }, '/t').argv.includes('--net'));
  const other = { ...plain, env: { HOME: '/elsewhere' } };
  assert.throws(() => apptainer.planCommand(other, '/t'), { code: 'engine/home' });
  assert.throws(() => apptainer.planCommand({ ...plain, user: { uid: 0, gid: 0 } }, '/t'), { code: 'engine/user' });
});

test('fakechroot gets a root of links, the image’s own loader, and the paths of the image in variables of the loader', () => {
  const view = { loader: '/images/x/lib/ld.so', hasNames: true, libraries: ['/images/x/lib'] };
  const views = new Map([['/images/x', view]]);
  const library = '/usr/lib/libfakechroot.so';
  const make = (landlock: number) => makeFakechrootEngine({ tools, library, landlock, views });
  const engine = make(0);
  assert.deepEqual(engine.rules, { network: 'open', writes: 'open', inputs: 'checked', rootfs: 'checked' });
  assert.deepEqual(make(3).rules, { network: 'open', writes: 'kernel', inputs: 'kernel', rootfs: 'kernel' });
  assert.match(engine.warning ?? '', /no sandbox/);
  assert.equal(engine.findRoot?.('/t/1'), '/t/1/root');
  const env = { HOME: '/w', LD_LIBRARY_PATH: '/opt/lib:', LD_PRELOAD: '/opt/x.so' };
  const planned = engine.planCommand({ ...sandbox, env }, '/t/1');
  const at = planned.argv.indexOf('--');
  const own = planned.argv.slice(0, at);
  assert.deepEqual(own.slice(0, 6), [
    '/k/launcher',
    '--die-with-parent',
    '--no-32-bit',
    '--fake-root',
    '/images/x',
    '/t/1/root',
  ]);
  assert.deepEqual(own.slice(own.indexOf('--link'), own.indexOf('--link') + 3), ['--link', '/runs/1/work', '/w']);
  assert.deepEqual(valuesOf(own, '--link-ro'), ['/data/a:b!']);
  assert.ok(!own.includes('--read'));
  assert.deepEqual(planned.argv.slice(at + 1, at + 5), [view.loader, '--argv0', 'sh', '/images/x/bin/sh']);
  assert.deepEqual(planned.argv.slice(-3), ['/w', 'tool', '--option']);
  assert.deepEqual(planned.env, {
    PWD: '/w',
    HOME: '/w',
    LD_PRELOAD: `${library}:/images/x/opt/x.so`,
    LD_LIBRARY_PATH: '/images/x/opt/lib:/images/x/lib',
    FAKECHROOT: 'true',
    FAKECHROOT_ELFLOADER: view.loader,
    FAKECHROOT_ELFLOADER_OPT_ARGV0: '--argv0',
  });
  const kept = make(3).planCommand(sandbox, '/t/1').argv;
  assert.ok(valuesOf(kept, '--read').includes('/images/x') && valuesOf(kept, '--write').includes('/runs/1/work'));
  assert.ok(!valuesOf(kept, '--write').includes('/dev') && !valuesOf(kept, '--write').includes('/t/1/root'));
  const refuse = (change: Partial<Sandbox>, code: string) =>
    assert.throws(() => engine.planCommand({ ...sandbox, ...change }, '/t'), { code });
  refuse({ user: { uid: 0, gid: 0 } }, 'engine/user');
  refuse({ kernelRelease: '4.18.0' }, 'engine/kernel-too-old');
  refuse({ isRootfsWritable: true }, 'engine/read-only');
  refuse({ rootfs: '/a b' }, 'engine/path');
  refuse({ env: { FAKECHROOT_BASE: '/' } }, 'engine/environment');

  const files = { rootfs: '/images/x', inside: '/p/inside', outside: '/p/outside', temporary: '/p/t' };
  const { parse } = planShellTest(make(3), files);
  const answer = (stdout: string) => parse({ stdout, stderr: '', exit: { code: 0, signal: null } });
  assert.match(answer('inside=1\noutside=0\nuntranslated=0\nwrite=0\n').message, /works; .*no sandbox/);
  assert.equal(answer('inside=1\noutside=1\nuntranslated=0\nwrite=0\n').works, false);
  assert.equal(answer('inside=1\noutside=0\nuntranslated=0\nwrite=1\n').works, false);
});

test('with Landlock, the launcher is told what may be read and written', () => {
  const engine = makeProotEngine(tools, { acceleration: true, landlock: 3, networkNamespaces: false });
  const all = { network: 'kernel', writes: 'kernel', inputs: 'kernel', rootfs: 'kernel' };
  assert.deepEqual(engine.rules, all);
  assert.deepEqual(userns.rules, all);
  const older = makeProotEngine(tools, { acceleration: true, landlock: 2, networkNamespaces: false });
  assert.deepEqual(older.rules, { network: 'kernel', writes: 'open', inputs: 'checked', rootfs: 'checked' });
  const { argv } = engine.planCommand(sandbox, '/t/1');
  const own = argv.slice(0, argv.indexOf('--'));
  assert.deepEqual(
    valuesOf(own, '--read').filter(path => !path.startsWith('/etc') && !path.startsWith('/sys')),
    ['/k/proot', '/k/proot-loader', '/images/x', '/data/a:b!'],
  );
  const writable = valuesOf(own, '--write');
  assert.ok(writable.includes('/runs/1/work') && writable.includes('/t/1') && !writable.includes('/images/x'));
  assert.ok(!writable.includes('/') && !writable.includes('/dev'));
});

test('a user, a kernel and a network are faked or granted only when asked for', () => {
  const asked = { ...sandbox, user: { uid: 0, gid: 0 }, kernelRelease: '4.18.0', network: true };
  const { argv } = proot.planCommand(asked, '/t/1');
  assert.ok(argv.includes('-0') && !argv.includes('--no-network'));
  assert.deepEqual(valuesOf(argv, '-k'), ['4.18.0']);
  assert.ok(valuesOf(argv, '-b').includes('/etc/resolv.conf//!:/etc/resolv.conf'));
  assert.deepEqual(valuesOf(proot.planCommand({ ...sandbox, user: { uid: 5, gid: 6 } }, '/t').argv, '-i'), ['5:6']);
});

test('without acceleration PRoot is told so, and 32-bit calls are refused', () => {
  const slow = makeProotEngine(tools, { acceleration: false, landlock: 0, networkNamespaces: false });
  const { argv, env } = slow.planCommand(sandbox, '/t/1');
  assert.equal(slow.name, 'proot-slow');
  assert.ok(argv.includes('--no-32-bit'));
  assert.equal(env?.PROOT_NO_SECCOMP, '1');
});

test('user namespaces get read-only and writable binds by name', () => {
  const { argv, env } = userns.planCommand(sandbox, '/t/1');
  assert.equal(argv[0], '/k/userns');
  const at = argv.indexOf('--bind-ro');
  assert.deepEqual(argv.slice(at, at + 3), ['--bind-ro', '/data/a:b!', '/in/0/a:b!']);
  assert.deepEqual(argv.slice(argv.indexOf('--bind'), argv.indexOf('--bind') + 3), ['--bind', '/runs/1/work', '/w']);
  assert.deepEqual(env, { HOME: '/w' });
  const nested = { ...sandbox, binds: [{ host: '/a', guest: '/w/a', writable: true }, ...sandbox.binds] };
  assert.deepEqual(
    userns.planCommand(nested, '/t').argv.filter(word => word.startsWith('/w')),
    ['/w', '/w', '/w/a'],
    'the working directory is bound before what lies in it',
  );
  assert.throws(
    () => userns.planCommand({ ...sandbox, kernelRelease: '4.18.0' }, '/t'),
    error => isFailure(error, 'engine/kernel-too-old'),
  );
});

test('the host engine runs no image', () => {
  assert.throws(
    () => hostEngine.planCommand(sandbox, '/t'),
    error => isFailure(error, 'engine/no-container'),
  );
  const { argv, cwd } = hostEngine.planCommand({ ...sandbox, rootfs: undefined, cwd: '/runs/1/work' }, '/t');
  assert.deepEqual([argv, cwd], [['tool', '--option'], '/runs/1/work']);
});

test('a self-test believes only what it sees', () => {
  const files = { rootfs: '/p/rootfs', outside: '/p/outside', temporary: '/p/temporary' };
  const { parse, argv } = planSelfTest(proot, files);
  assert.ok(argv.includes('/p/outside'));
  const answer = (stdout: string, stderr = '', code = 0) => parse({ stdout, stderr, exit: { code, signal: null } });
  const good = answer('inside=1 outside=0 untranslated=0 write=1 stat=36000\n');
  assert.deepEqual([good.works, good.statCost], [true, 36_000]);
  assert.match(good.message, /36 µs/);
  // An untranslated guest ends well, and has seen the host.
  assert.equal(answer('inside=1 outside=1 untranslated=1 write=1 stat=900\n').works, false);
  assert.equal(answer('inside=1 outside=0 untranslated=1 write=0 stat=900\n').works, false);
  assert.equal(answer('inside=0 outside=0 untranslated=0 write=0 stat=-1\n').works, false);
  assert.equal(answer('').works, false);
  assert.match(answer('', 'proot error: ptrace(TRACEME): Operation not permitted', 1).message, /SYS_PTRACE/);
  const forbidden = 'userns: making the mounts private: Permission denied\n';
  const answered = planSelfTest(userns, files).parse({
    stdout: '',
    stderr: forbidden,
    exit: { code: 125, signal: null },
  });
  assert.match(answered.message, /nothing can be mounted in them .*apparmor_restrict_unprivileged_userns=0/);
  const noisy = 'proot warning: one\nproot error: ptrace(TRACEME): Operation not permitted\nfatal error: see --help\n';
  assert.match(answer('', noisy, 1).message, /\(proot error: ptrace\(TRACEME\): Operation not permitted\)\. Ask/);
  const own = planSelfTest(userns, files).parse({
    stdout: 'inside=1 outside=0 untranslated=0 write=1 stat=900\n',
    stderr: '',
    exit: { code: 0, signal: null },
  });
  assert.equal(own.works, false, 'an engine that promises read-only must keep it');
});

test('features of the kernel are absent where the launcher does not start', () => {
  const { parse } = planFeatures('/k/launcher');
  const answer = (stdout: string) => parse({ stdout, stderr: '', exit: { code: 0, signal: null } });
  assert.deepEqual(answer('seccomp=1 landlock=7 network-namespace=0\n'), {
    seccomp: true,
    landlock: 7,
    networkNamespaces: false,
  });
  assert.deepEqual(answer(''), { seccomp: false, landlock: 0, networkNamespaces: false });
});
