// RUN --mount, --network and --security, as an unprivileged user.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { claimCache } from '#image/build-cache-lock.ts';
import { Temporaries } from '#image/temporaries.ts';
import { makeFolder, needPackages, runAs } from '../support/machine.ts';
import { type Builder, openBuilder } from './builder.ts';

let builder: Builder;
const from = 'FROM test/base:latest\n';

before(async () => {
  builder = await openBuilder();
});
after(() => builder?.helper.remove());

test('secrets come as files and as variables, from files and from variables, and stay nowhere', async () => {
  const folder = builder.makeContext({
    key: 'in a file',
    Dockerfile: `${from}RUN --mount=type=secret,id=file,env=FROM_FILE --mount=type=secret,id=word \\
  --mount=type=secret,id=word,env=WORD,target=here,mode=0440 --mount=type=secret,id=absent,env=ABSENT \\
  test "$FROM_FILE" = "in a file" && test ! -e /run/secrets/file && test "$(cat /run/secrets/word)" = "in the air" && \\
  test "$(cat /here)" = "in the air" && test "$WORD" = "in the air" && test -z "$ABSENT" && stat -c %a /here >/mode
RUN test -z "$WORD" && test ! -e /run/secrets/word
`,
  });
  const args = [`--secret=id=file,src=${join(folder, 'key')}`, '--secret', 'id=word,env=THE_WORD'];
  const made = await builder.buildIn(folder, args, { THE_WORD: 'in the air' });
  assert.equal(made.code, 0, made.stderr);
  assert.equal(readFileSync(join(made.rootfs, 'mode'), 'utf8'), '440\n');
  const images = dirname(dirname(dirname(made.rootfs)));
  for (const value of ['in the air', 'in a file']) {
    const found = spawnSync('grep', ['-rlF', value, images], { encoding: 'utf8' });
    // The Dockerfile itself names both, and it is kept nowhere.
    assert.equal(found.stdout, '', value);
  }
  const gone = await builder.buildIn(folder, [
    '--no-cache',
    '--secret=id=file,src=/absent',
    '--secret=id=word,env=NO_WORD',
  ]);
  assert.match(gone.stderr, /the secret (file|word) is not here/);
});

test('binds are read-only unless they say otherwise, and caches, folders in memory and targets keep to what they say', async () => {
  const made = await builder.build({
    'd/f': 'of the context',
    Dockerfile: `${from}WORKDIR /w
RUN --mount=target=ctx,source=d cat ctx/f >/seen; echo x >ctx/new 2>/dev/null || echo refused >>/seen
RUN --mount=target=/ctx,source=d,rw echo x >/ctx/new && cat /ctx/new >>/seen
RUN --mount=type=cache,target=/c,mode=0750,id=one stat -c %a /c >>/seen; echo 1 >/c/1
RUN --mount=type=cache,target=/other,id=one,ro ls /other >>/seen; ! echo x >/other/x
RUN --mount=type=cache,target=/c ls /c | wc -l >>/seen
RUN --mount=type=cache,target=/l,id=l,sharing=locked --mount=type=cache,target=/m,id=l,sharing=locked touch /l/x && ls /m/x
RUN --mount=type=cache,target=/s,from=test/base:latest,source=/etc cat /s/passwd | head -1 >>/seen
RUN --mount=type=tmpfs,target=/t,size=1k echo small >/t/x && cat /t/x >>/seen
RUN test ! -e /t/x
`,
  });
  assert.equal(made.code, 0, made.stderr);
  const said = readFileSync(join(made.rootfs, 'seen'), 'utf8');
  assert.match(said, /^of the context(refused\n)?x\n750\n1\n0\nroot:x:0:0.*\nsmall\n$/);
  // Landlock is what refuses.
  const report = JSON.parse((await builder.helper.run(['probe', '--json'])).stdout);
  if (JSON.stringify(report).includes('"rootfs":"kernel"')) assert.match(said, /refused/);
  assert.equal(readFileSync(join(made.folder, 'd/f'), 'utf8'), 'of the context');
  assert.ok(!existsSync(join(made.folder, 'd/new')));
  const full = await builder.build({ Dockerfile: `${from}RUN --mount=type=tmpfs,target=/t,size=1k seq 1000 >/t/x\n` });
  assert.match(full.stderr, /Dockerfile:2: RUN: 3893 bytes were written to \/t, which holds 1024/);
  builder.assertNothingHalfMade();
});

test('a locked cache is used by one build at a time, and a private one is doubled', async () => {
  const line = (sharing: string) =>
    `${from}RUN --mount=type=cache,target=/c,id=${sharing},sharing=${sharing} mkdir /c/busy && sleep 1 && echo x >>/c/hits && rmdir /c/busy\n`;
  for (const sharing of ['locked', 'private']) {
    const files = { Dockerfile: line(sharing) };
    const both = await Promise.all([builder.build(files, ['--no-cache']), builder.build(files, ['--no-cache'])]);
    for (const each of both) assert.equal(each.code, 0, each.stderr);
  }
  const mounts = join(builder.helper.home, 'images/build-mounts');
  assert.deepEqual(
    readdirSync(mounts).filter(name => name.endsWith('.lock')),
    [],
  );
  const hits = readdirSync(mounts).flatMap(name => {
    const file = join(mounts, name, 'hits');
    return existsSync(file) ? [readFileSync(file, 'utf8').trim().split('\n').length] : [];
  });
  assert.deepEqual(hits.sort(), [1, 1, 2]);
});

test('the lock of a dead process is taken away, that of a living one is not', async () => {
  const place = makeFolder(builder.helper.user);
  try {
    const temporaries = new Temporaries(join(place.path, 'temporary'));
    const { signal } = new AbortController();
    const folder = join(place.path, 'cache');
    const own = basename(temporaries.make('lock'));
    // Nobody has that process number and began then.
    symlinkSync(own.replace(/~\d+~\d+~\d+$/, '~4194304~1~0'), `${folder}.lock`);
    const claim = await claimCache(folder, 'locked', temporaries, signal);
    const stop = AbortSignal.timeout(500);
    await assert.rejects(claimCache(folder, 'locked', temporaries, stop));
    assert.equal((await claimCache(folder, 'private', temporaries, signal)).folder, `${folder}-1`);
    claim.release();
    assert.equal((await claimCache(folder, 'locked', temporaries, signal)).folder, folder);
    assert.deepEqual(readdirSync(join(place.path, 'temporary')), []);
  } finally {
    place.remove();
  }
});

test('an ssh-agent is lent where that is asked for, and nowhere else', async () => {
  needPackages('openssh-client');
  const { user } = builder.helper;
  const place = makeFolder(user, 'a-');
  const socket = join(place.path, 's');
  const started = await runAs(user, 'ssh-agent', ['-a', socket]);
  const pid = /SSH_AGENT_PID=(\d+)/.exec(started.stdout)?.[1];
  try {
    const key = join(place.path, 'key');
    const made = await runAs(user, 'ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'lent key', '-f', key]);
    assert.equal(made.code, 0, made.stderr);
    await runAs(user, 'ssh-add', ['-q', key], { env: { SSH_AUTH_SOCK: socket } });
    const folder = builder.makeContext({
      Dockerfile: `${from}COPY root /
RUN --mount=type=ssh,required=true test -S /run/buildkit/ssh_agent.0 && ssh-add -l >/keys
RUN --mount=type=ssh,target=/there,id=default SSH_AUTH_SOCK=/there ssh-add -l >>/keys
RUN --network=none test -z "$SSH_AUTH_SOCK" && test ! -e /there
`,
    });
    const libraries = spawnSync('ldd', ['/usr/bin/ssh-add'], { encoding: 'utf8' }).stdout.match(/\/\S+/g) ?? [];
    for (const file of ['/usr/bin/ssh-add', ...libraries]) {
      mkdirSync(join(folder, 'root', dirname(file)), { recursive: true });
      writeFileSync(join(folder, 'root', file), readFileSync(file), { mode: 0o755 });
    }
    builder.own(folder);
    const built = await builder.buildIn(folder, ['--ssh', 'default'], { SSH_AUTH_SOCK: socket });
    assert.equal(built.code, 0, built.stderr);
    assert.match(readFileSync(join(built.rootfs, 'keys'), 'utf8'), /lent key.*\n.*lent key/);
    assert.equal((await builder.buildIn(folder, ['--no-cache', `--ssh=default=${socket}`])).code, 0);
    const none = await builder.buildIn(folder, ['--no-cache'], { SSH_AUTH_SOCK: socket });
    assert.match(none.stderr, /Dockerfile:3: RUN: no ssh-agent is lent to this build as default[\s\S]*--ssh default/);
    const file = await builder.buildIn(folder, [`--ssh=default=${key}`]);
    assert.match(file.stderr, /is no socket of an ssh-agent/);
  } finally {
    if (pid) process.kill(Number(pid));
    place.remove();
  }
});

test('--network=none has no network, also for a whole build', async () => {
  const server = createServer(socket => socket.end('here\n'));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const ask = `nc -w 2 127.0.0.1 ${port} </dev/null`;
  try {
    const made = await builder.build({
      Dockerfile: `${from}RUN ${ask} | grep here\nRUN --network=host --security=sandbox ${ask}\nRUN --network=none ! ${ask}\n`,
    });
    assert.equal(made.code, 0, made.stderr);
    const closed = await builder.build(
      { Dockerfile: `${from}RUN ! ${ask}\nRUN --network=default ! ${ask}\nRUN --network=host ${ask}\n` },
      ['--network=none', '--no-cache'],
    );
    assert.equal(closed.code, 0, closed.stderr);
  } finally {
    server.close();
  }
});
