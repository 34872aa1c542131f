// COPY and ADD: which files come, with what modes, and from where; built as an unprivileged user.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseRepository } from '#image/build-git.ts';
import { parseModeChange } from '#image/build-mode.ts';
import { environmentOf, needPackages, run } from '../support/machine.ts';
import { type Builder, list, modeOf, openBuilder } from './builder.ts';

let builder: Builder;

before(async () => {
  builder = await openBuilder();
});
after(() => builder?.helper.remove());

test('--chmod in digits and in words, as chmod(1) has it', () => {
  const file = (text: string, mode: number) => parseModeChange(text)(mode, false).toString(8);
  const folder = (text: string, mode: number) => parseModeChange(text)(mode, true).toString(8);
  assert.deepEqual([file('755', 0o600), file('0640', 0o777), file('4755', 0)], ['755', '640', '755']);
  assert.deepEqual([file('u=rwX,go=rX', 0o600), file('u=rwX,go=rX', 0o700)], ['644', '755']);
  assert.equal(folder('u=rwX,go=rX', 0o700), '755');
  assert.deepEqual([file('+x', 0o644), file('a+w', 0o644), file('+w', 0o444)], ['755', '666', '644']);
  assert.deepEqual([file('g=u', 0o750), file('go-rwx', 0o777), file('o=', 0o777)], ['770', '700', '770']);
  assert.deepEqual([file('u+x,g-w+r', 0o660), folder('+t', 0o777), file('=r', 0o777)], ['740', '1777', '444']);
  for (const wrong of ['', 'x', '888', '77777', 'u=q', 'u', 'z+x', 'u+x,'])
    assert.throws(() => parseModeChange(wrong), { code: 'image/invalid-dockerfile' }, wrong);
});

const tree = {
  'x/a.txt': 'a',
  'x/b.md': 'b',
  'x/deep/c.txt': 'c',
  'y/a.txt': 'other',
  'y/run!': '#!/bin/sh\n',
  'hom.txt': '',
  'home.md': '',
  'homer.sh': '',
};

test('COPY --exclude leaves out, --parents keeps folders, and --chmod changes modes', async () => {
  const made = await builder.build({
    ...tree,
    Dockerfile: `FROM scratch
COPY --exclude=*.txt --exclude=*.md hom* /one/
COPY --exclude=**/*.txt . /two
COPY --exclude=deep --exclude=!deep/c.txt x /three
COPY --parents ./x/a.txt ./y/a.txt /four/
COPY --parents --exclude=**/*.md x/./* /five
COPY --parents ./**/*.txt /six
COPY --chmod=u=rwX,go=rX y /seven
COPY --chmod=go-rwx,u+x x /eight/
COPY --exclude=*.txt hom.txt /nine/
FROM scratch
COPY --from=0 --parents /four/./x /four/y/a.txt /
COPY --from=0 /fo*/y/* /picked/
`,
  });
  assert.equal(made.code, 0, made.stderr);
  const first = await builder.buildIn(made.folder, ['--target=0']);
  const at = (path: string) => list(first.rootfs, path);
  assert.deepEqual(at('one'), ['homer.sh']);
  assert.deepEqual(at('two'), ['Dockerfile', 'home.md', 'homer.sh', 'x/', 'x/b.md', 'x/deep/', 'y/', 'y/run']);
  assert.deepEqual(at('three'), ['a.txt', 'b.md', 'deep/', 'deep/c.txt']);
  assert.deepEqual(at('four'), ['x/', 'x/a.txt', 'y/', 'y/a.txt']);
  assert.deepEqual(at('five'), ['a.txt', 'deep/', 'deep/c.txt']);
  assert.deepEqual(at('six'), ['hom.txt', 'x/', 'x/a.txt', 'x/deep/', 'x/deep/c.txt', 'y/', 'y/a.txt']);
  assert.deepEqual(
    ['seven/a.txt', 'seven/run', 'eight/a.txt', 'eight/deep'].map(path => modeOf(join(first.rootfs, path))),
    ['644', '755', '700', '700'],
  );
  assert.ok(!existsSync(join(first.rootfs, 'nine/hom.txt')));
  const second = list(made.rootfs).filter(path => /^(four|x|picked)/.test(path));
  assert.deepEqual(second, ['four/', 'four/y/', 'four/y/a.txt', 'picked/', 'picked/a.txt', 'x/', 'x/a.txt']);
});

test('patterns look through links to folders, and other contexts have names', async () => {
  const other = builder.makeContext({ 'f.txt': 'of the other', 'left.out': '', '.dockerignore': '*.out' });
  const made = await builder.build(
    {
      Dockerfile: `FROM named AS start
RUN mkdir -p /usr/lib && echo so >/usr/lib/libx.so && ln -s usr/lib /lib
FROM scratch
COPY --from=start /lib/lib*.so /found/
COPY --from=other . /other/
COPY --from=named /bin/busybox /bin/
`,
    },
    [`--build-context=other=${other}`, '--build-context', 'named=docker-image://test/base:latest', '--label', 'a=b=c'],
  );
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(list(made.rootfs, 'found'), ['libx.so']);
  assert.deepEqual(list(made.rootfs, 'other'), ['.dockerignore', 'f.txt']);
  assert.ok(existsSync(join(made.rootfs, 'bin/busybox')));
  assert.deepEqual((await builder.inspect(made.digest)).config.labels, { a: 'b=c' });
});

test('addresses of repositories that could be options or programs are refused', () => {
  assert.deepEqual(parseRepository('https://h/a.git#v1:docs'), {
    url: 'https://h/a.git',
    isSsh: false,
    ref: 'v1',
    folder: 'docs',
  });
  assert.deepEqual(parseRepository('git@h.org:a/b.git'), { url: 'git@h.org:a/b.git', isSsh: true });
  for (const wrong of [
    'git@-oProxyCommand=x:a.git',
    'git@h:--upload-pack=x',
    'ssh://-oProxyCommand=x/a.git',
    'ssh://-oProxyCommand=x@h/a.git',
    'git://-x/a.git',
    'https://h/a.git#--upload-pack=x',
    'https://h/a.git#a..b',
    'https://h/a.git#a b',
    'https://h/a.git#HEAD@{1}',
    'https://h/a.git#a:b:c',
    'ext::sh -c x',
    'file:///etc/a.git',
  ])
    assert.throws(() => parseRepository(wrong), { code: 'image/invalid-dockerfile' }, wrong);
});

test('ADD checks out a branch, a tag, a commit and a folder of a repository', async () => {
  needPackages('git');
  const { folder: home, user } = builder.helper;
  const source = join(home, 'source');
  mkdirSync(source);
  builder.own(home);
  const git = (...args: string[]) => {
    const env = { ...environmentOf(user), HOME: home };
    const named = ['-c', 'user.name=x', '-c', 'user.email=x@x', '-c', 'init.defaultBranch=main', ...args];
    const ids = process.getuid?.() === 0 ? { uid: user.uid, gid: user.gid } : {};
    const { status, stdout, stderr } = spawnSync('git', named, { cwd: source, env, ...ids, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  git('init', '-q');
  run('sh', [
    '-c',
    `cd ${source} && mkdir docs && echo 1 >docs/a && echo x >run && chmod 755 run && ln -s /etc/passwd out && printf 'FROM scratch\\nCOPY docs /docs\\n' >Dockerfile`,
  ]);
  builder.own(source);
  git('add', '.');
  git('commit', '-qm', 'one');
  const one = git('rev-parse', 'HEAD');
  git('tag', 'v1');
  git('checkout', '-qb', 'other');
  run('sh', ['-c', `echo 2 >${source}/docs/a`]);
  git('commit', '-qam', 'two');
  git('checkout', '-q', 'main');
  run('mv', [join(source, '.git'), join(home, 'repo.git')]);
  const port = await findPort();
  const served = spawn(
    'git',
    ['daemon', '--reuseaddr', '--export-all', '--listen=127.0.0.1', `--port=${port}`, `--base-path=${home}`, home],
    {
      env: {
        ...environmentOf(user),
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
      },
    },
  );
  try {
    const url = `git://127.0.0.1:${port}/repo.git`;
    await waitFor(() => spawnSync('git', ['ls-remote', url]).status === 0);
    const made = await builder.build({
      Dockerfile: `FROM scratch
ADD ${url} /main
ADD --chmod=go= ${url}#other:docs /folder/
ADD --checksum=${one.slice(0, 8)} ${url}#v1 /tag/
ADD --keep-git-dir=true ${url}#${one} /commit
ADD --exclude=docs ${url}#${one.slice(0, 9)} /short
`,
    });
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(list(made.rootfs, 'main'), ['Dockerfile', 'docs/', 'docs/a', 'out', 'run']);
    assert.deepEqual(
      ['main/run', 'main/docs/a', 'main/docs', 'folder/a'].map(each => modeOf(join(made.rootfs, each))),
      ['755', '644', '755', '600'],
    );
    assert.equal(readlinkSync(join(made.rootfs, 'main/out')), '/etc/passwd');
    assert.equal(readFileSync(join(made.rootfs, 'folder/a'), 'utf8'), '2\n');
    assert.equal(readFileSync(join(made.rootfs, 'tag/docs/a'), 'utf8'), '1\n');
    assert.ok(existsSync(join(made.rootfs, 'commit/.git/HEAD')));
    assert.deepEqual(list(made.rootfs, 'short'), ['Dockerfile', 'out', 'run']);
    const again = await builder.buildIn(made.folder);
    assert.equal(again.stderr.match(/as built before/g)?.length, 5, again.stderr);
    for (const [line, reason] of [
      [`ADD --checksum=abcdef ${url} /x/`, /Dockerfile:2: ADD: .* is at the commit [0-9a-f]{40}, not abcdef/],
      [`ADD ${url}#absent /x/`, /Dockerfile:2: ADD: .*#absent could not be fetched/],
      [`ADD ${url}#main:absent /x/`, /the repository has no folder absent/],
      ['ADD git@127.0.0.1:x.git /x/', /no key is lent to this build[\s\S]*--ssh default/],
      [`ADD ${url}#--upload-pack=x /x/`, /is no address of a repository/],
    ] as const) {
      const wrong = await builder.build({ Dockerfile: `FROM scratch\n${line}\n` });
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, reason);
    }
    const empty = join(home, 'empty');
    mkdirSync(empty);
    const without = await builder.build({ Dockerfile: `FROM scratch\nADD ${url} /x/\n` }, [], { PATH: empty });
    assert.match(without.stderr, /needs the program git, which is not here/);
    // A repository is a context, too.
    const whole = await builder.buildIn(`${url}#other`);
    assert.equal(readFileSync(join(whole.rootfs, 'docs/a'), 'utf8'), '2\n', whole.stderr);
    const { code, stderr } = await builder.helper.run(['image', 'build', '--file=docs/a', `${url}#other`]);
    assert.notEqual(code, 0);
    assert.match(stderr, /a:1: there is no instruction 2/);
  } finally {
    served.kill();
  }
  builder.assertNothingHalfMade();
});

function findPort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function waitFor(isReady: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isReady(); i++) await new Promise(resolve => setTimeout(resolve, 50));
  assert.ok(isReady());
}
