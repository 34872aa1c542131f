// Dockerfiles built by the helper's bundle, as an unprivileged user, on a base image of busybox.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { showRun, startRun } from '#protocol/messages.ts';
import { spawnAs } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { type Builder, openBuilder } from './builder.ts';

let builder: Builder;
let helper: Builder['helper'];
let build: Builder['build'];
let makeContext: Builder['makeContext'];

before(async () => {
  builder = await openBuilder();
  ({ helper, build, makeContext } = builder);
});
after(() => helper?.remove());

const from = 'FROM test/base:latest\n';

test('instructions of all kinds make the files and the configuration that they say', async () => {
  const made = await build(
    {
      Dockerfile: `# escape=\\
ARG BASE=base
FROM test/\${BASE:-nothing}:latest AS first
MAINTAINER somebody
ARG WHAT=world
ENV A=1 B="two words" C=$WHAT
LABEL one=1 "two words"="$B"
WORKDIR /work
WORKDIR sub
RUN echo "hello $WHAT $A" > hello && \\
# a comment between
    id -u > id
RUN ["/bin/sh", "-c", "echo exec > exec"]
RUN <<EOT
echo heredoc > heredoc
pwd >> heredoc
EOT
COPY a.txt b/ ./
COPY --chmod=0750 a.txt /modes/
COPY <<EOT <<"RAW" /texts/
text $A
EOT
raw $A
RAW
USER 12:34
RUN id -u > /tmp/id; id -g >> /tmp/id
SHELL ["/bin/sh", "-ec"]
EXPOSE 80 53/udp
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1m30s --retries=2 CMD true
ENTRYPOINT ["/bin/echo"]
CMD ["x"]
ONBUILD RUN true
FROM scratch
COPY --from=first /work/sub /copied
COPY --from=0 /bin/busybox /bin/
`,
      'a.txt': 'a\n',
      'b/c.txt': 'c\n',
    },
    ['--target', 'first', '-t', 'test/made:1'],
  );
  assert.equal(made.code, 0, made.stderr);
  const read = (path: string) => readFileSync(join(made.rootfs, path), 'utf8');
  assert.equal(read('work/sub/hello'), 'hello world 1\n');
  assert.equal(read('work/sub/id'), '0\n');
  assert.equal(read('work/sub/exec'), 'exec\n');
  assert.equal(read('work/sub/heredoc'), 'heredoc\n/work/sub\n');
  assert.equal(read('work/sub/a.txt') + read('work/sub/c.txt'), 'a\nc\n');
  assert.equal(lstatSync(join(made.rootfs, 'modes/a.txt')).mode & 0o777, 0o750);
  assert.equal(read('texts/EOT') + read('texts/RAW'), 'text 1\nraw $A\n');
  assert.equal(read('tmp/id'), '12\n34\n');
  const { config } = await builder.inspect('test/made:1');
  assert.deepEqual(
    { ...config, env: { ...config.env, PATH: undefined }, architecture: undefined },
    {
      env: { A: '1', B: 'two words', C: 'world', PATH: undefined },
      entrypoint: ['/bin/echo'],
      command: ['x'],
      workingDirectory: '/work/sub',
      user: '12:34',
      labels: { one: '1', 'two words': 'two words' },
      author: 'somebody',
      shell: ['/bin/sh', '-ec'],
      exposedPorts: ['80/tcp', '53/udp'],
      volumes: ['/data'],
      stopSignal: 'SIGINT',
      healthcheck: { Test: ['CMD', '/bin/sh', '-ec', 'true'], Interval: 90e9, Retries: 2 },
      onBuild: ['RUN true'],
      architecture: undefined,
    },
  );
  assert.ok(!existsSync(join(made.rootfs, 'copied')));
  builder.assertNothingHalfMade();
});

test('stages copy from each other, ONBUILD of the base runs, and the base stays as it was', async () => {
  const dockerfile = `FROM test/trigger:trigger AS one
RUN rm /etc/group && echo changed >>/etc/passwd && ln -s /etc /outside && mkfifo /etc/pipe
FROM scratch
COPY --from=one /triggered /outside/passwd /nothing* /etc/
COPY --from=test/base:latest /bin/busybox /bin/sh
COPY --from=one /outside /link
RUN echo ok >/done
`;
  const made = await build({ Dockerfile: dockerfile });
  assert.equal(made.code, 0, made.stderr);
  const read = (path: string) => readFileSync(join(made.rootfs, path), 'utf8');
  assert.equal(read('etc/triggered'), 'triggered\n');
  assert.match(read('etc/passwd'), /changed\n$/);
  assert.match(read('link/passwd'), /changed\n$/);
  assert.equal(read('done'), 'ok\n');
  assert.ok(lstatSync(join(made.rootfs, 'link/pipe')).isFIFO());
  // The first stage comes from the cache then, and is put on the disk for the second.
  const other = await build({ Dockerfile: dockerfile.replace('/link\n', '/other\n') });
  assert.equal(other.code, 0, other.stderr);
  assert.ok(lstatSync(join(other.rootfs, 'other/pipe')).isFIFO());
  const base = await builder.inspect('test/trigger:trigger');
  assert.ok(existsSync(join(base.rootfs, 'etc/group')));
  assert.doesNotMatch(readFileSync(join(base.rootfs, 'etc/passwd'), 'utf8'), /changed/);
  builder.assertNothingHalfMade();
});

test('what was built is not built again, until it or a file changes', async () => {
  const files = {
    Dockerfile: `${from}COPY x* /x/\nRUN cat /proc/sys/kernel/random/uuid >/uuid; rm /etc/group\nRUN echo z >/z\n`,
    x1: '1',
    no: '1',
  };
  const read = (made: { rootfs: string; stderr: string }) =>
    readFileSync(join(made.rootfs, 'uuid'), 'utf8') || assert.fail(made.stderr);
  const first = await build(files);
  assert.equal(first.code, 0, first.stderr);
  const again = await build({ ...files, no: '2' });
  assert.equal(again.digest, first.digest);
  assert.equal(again.stderr.match(/as built before/g)?.length, 3);
  // Layers of an earlier build are put together with something new.
  const longer = await build({
    ...files,
    Dockerfile: `${files.Dockerfile}RUN test ! -e /etc/group && cat /uuid >/copy\n`,
  });
  assert.equal(longer.code, 0, longer.stderr);
  assert.equal(read(longer), read(first));
  const changed = await build({ ...files, x1: '2' });
  assert.notEqual(read(changed), read(first));
  const anew = await build(files, ['--no-cache']);
  assert.notEqual(read(anew), read(first));
  builder.assertNothingHalfMade();
});

test('.dockerignore, patterns, links and archives', async () => {
  const files = {
    Dockerfile: `${from}COPY . /all/\nCOPY l?nk d/**/deep.txt /picked/\nRUN ln -s /../../../../tmp /away\nCOPY in.txt /away/\nADD it.tar.gz /tar/\nCOPY it.tar.gz /kept/\n`,
    '.dockerignore': '# comment\n*.log\n!keep.log\nsecret/**\n!secret/shown\nd/**/no.txt\n',
    'a.log': '',
    'keep.log': '',
    'secret/hidden': '',
    'secret/shown': '',
    'd/e/f/no.txt': '',
    'd/e/f/deep.txt': 'deep',
    'in.txt': 'in',
    link: '->in.txt',
    out: '->/etc/shadow',
  };
  const folder = makeContext(files);
  const layer = new Layer()
    .directory('d')
    .file('d/f', 'f')
    .symlink('d/up', '/etc')
    .file('d/up/evil', 'x')
    .file('../escaped', 'x');
  const { gzipSync } = await import('node:zlib');
  writeFileSync(join(folder, 'it.tar.gz'), gzipSync(layer.toBuffer()));
  builder.own(folder);
  const { code, stdout, stderr } = await helper.run(['image', 'build', folder]);
  assert.equal(code, 0, stderr);
  const rootfs = stdout.split('\n')[1] as string;
  const all = (readdirSync(join(rootfs, 'all'), { recursive: true }) as string[]).sort();
  assert.deepEqual(all, [
    '.dockerignore',
    'Dockerfile',
    'd',
    'd/e',
    'd/e/f',
    'd/e/f/deep.txt',
    'in.txt',
    'it.tar.gz',
    'keep.log',
    'link',
    'out',
    'secret',
    'secret/shown',
  ]);
  assert.equal(readlinkSync(join(rootfs, 'all/out')), '/etc/shadow');
  assert.equal(readFileSync(join(rootfs, 'picked/link'), 'utf8'), 'in');
  assert.equal(readFileSync(join(rootfs, 'tmp/in.txt'), 'utf8'), 'in');
  assert.ok(existsSync(join(rootfs, 'tar/d/f')) && existsSync(join(rootfs, 'tar/escaped')));
  assert.ok(!existsSync('/etc/evil') && !existsSync(join(rootfs, 'tar/it.tar.gz')));
  assert.ok(existsSync(join(rootfs, 'kept/it.tar.gz')));
});

test('a failure names the line, the command, its status and what it said', async () => {
  const made = await build({ Dockerfile: `${from}RUN echo fine\nRUN echo the reason >&2; exit 7\n` });
  assert.equal(made.code, 1);
  assert.match(
    made.stderr,
    /Dockerfile:3: RUN echo the reason >&2; exit 7 ended with exit code 7; it said last:\nthe reason/,
  );
  for (const [line, reason] of [
    ['COPY ../x /', /Dockerfile:2: COPY: \.\.\/x is not in the folder/],
    ['COPY absent /', /Dockerfile:2: COPY: absent is not in/],
    ['FOO x', /Dockerfile:2: there is no instruction FOO/],
    ['USER nobody-there\nRUN true', /Dockerfile:3: RUN: the image has no user nobody-there/],
    ['RUN --mount=type=ssh,required true', /Dockerfile:2: RUN: no ssh-agent is lent to this build as default/],
    ['RUN --mount=type=npipe true', /Dockerfile:2: RUN --mount=type=npipe: there is no type npipe/],
    ['RUN --mount=type=tmpfs,target=/x,id=y true', /type=tmpfs has no option id/],
    ['RUN --security=insecure true', /Dockerfile:2: RUN --security=insecure needs rights/],
    ['COPY --chmod=u=q a /', /Dockerfile:2: COPY: --chmod=u=q: u=q is no mode/],
    ['ADD --parents a /', /Dockerfile:2: ADD has no option --parents/],
    [`ENV A=\${B:?no-B}`, /Dockerfile:2: ENV: B: no-B/],
  ] as const) {
    const wrong = await build({ Dockerfile: `${from}${line}\n` });
    assert.equal(wrong.code, 1, line);
    assert.match(wrong.stderr, reason);
  }
  builder.assertNothingHalfMade();
});

test('mounts, secrets and the environment: nothing that should not be there is in the image', async () => {
  const files = {
    Dockerfile: `${from}ARG TOKEN
RUN --mount=type=secret,id=key,required=true --mount=type=cache,target=/c --mount=type=bind,target=/ctx --mount=type=tmpfs,target=/t1 \\
  test "$(cat /run/secrets/key)" = "very secret" && echo hit >>/c/hits && cat /ctx/file /c/hits >/seen && echo x >/t1/x && env >/env
RUN --network=none test ! -e /run/secrets/key && ! ls /c/hits
`,
    file: 'of the context\n',
    key: 'very secret',
  };
  const folder = makeContext(files);
  const args = [
    'image',
    'build',
    '--no-cache',
    '--build-arg',
    'TOKEN=tok',
    `--secret=id=key,src=${join(folder, 'key')}`,
    folder,
  ];
  const options = { env: { LD_LIBRARY_PATH: '/host/lib', http_proxy: 'http://127.0.0.1:9', no_proxy: '*' } };
  const first = await helper.run(args, options);
  assert.equal(first.code, 0, first.stderr);
  const second = await helper.run(args, options);
  const rootfs = second.stdout.split('\n')[1] as string;
  assert.equal(readFileSync(join(rootfs, 'seen'), 'utf8'), 'of the context\nhit\nhit\n', second.stderr);
  const env = readFileSync(join(rootfs, 'env'), 'utf8');
  assert.match(env, /^http_proxy=http:\/\/127\.0\.0\.1:9$/m);
  assert.match(env, /^TOKEN=tok$/m);
  assert.doesNotMatch(env, /LD_LIBRARY_PATH|PROOT/);
  const record = readFileSync(join(dirname(rootfs), 'image.json'), 'utf8');
  assert.doesNotMatch(record, /very secret|tok|127\.0\.0\.1/);
  assert.ok(!existsSync(join(rootfs, 't1/x')));
});

test('two builds at once succeed; one that is killed leaves nothing that is seen', async () => {
  const files = { Dockerfile: `${from}RUN echo $RANDOM >/r; sleep 1\nRUN echo 2 >/s\n` };
  const both = await Promise.all([build(files, ['-t', 'test/twin:1']), build(files, ['-t', 'test/twin:1'])]);
  for (const each of both) assert.equal(each.code, 0, each.stderr);
  const folder = makeContext({ Dockerfile: `${from}RUN sleep 4711\n` });
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const child = spawnAs(helper.user, helper.node, [helper.bundle, 'image', 'build', '-t', 'test/killed:1', folder], {
      env: { CWL_ON_CLUSTERS_HOME: helper.home },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const isSleeping = () => spawnSync('pgrep', ['-f', '^sleep 4711$']).status === 0;
    for (let i = 0; i < 200 && !isSleeping(); i++) await new Promise(resolve => setTimeout(resolve, 50));
    assert.ok(isSleeping());
    const ended = new Promise(resolve => child.on('exit', resolve));
    child.kill(signal);
    await ended;
    for (let i = 0; i < 40 && isSleeping(); i++) await new Promise(resolve => setTimeout(resolve, 50));
    assert.ok(!isSleeping(), `${signal}: its command is still there`);
    assert.doesNotMatch((await helper.run(['image', 'list'])).stdout, /test\/killed/);
    if (signal === 'SIGINT') builder.assertNothingHalfMade();
  }
  assert.equal((await build({ Dockerfile: `${from}RUN true\n` })).code, 0);
  builder.assertNothingHalfMade();
});

test('docker build: a Dockerfile on standard input, -q and --iidfile', async () => {
  const idFile = join(helper.folder, 'id');
  const args = ['docker', 'build', '-q', '--iidfile', idFile, '-t', 'test/stdin', '--rm', '-'];
  const made = await helper.run(args, { input: `${from}ARG X=1\nRUN echo $X >/x\nCMD cat /x\n` });
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal(readFileSync(idFile, 'utf8'), made.stdout.trim());
  const ran = await helper.run(['docker', 'run', 'test/stdin']);
  assert.equal(ran.stdout, '1\n', ran.stderr);
  const refused = await helper.run(['docker', 'build', '-'], { input: `${from}COPY a /\n` });
  assert.match(refused.stderr, /Dockerfile:2: COPY: there is no build context/);
});

test('a dockerFile of CWL is built, used and named as what a run needs', async () => {
  const folder = makeContext({
    'tool.cwl': `cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement:
    dockerImageId: test/by-cwl
    dockerFile: |
      FROM test/base:latest
      RUN echo built >/built
baseCommand: [cat, /built]
inputs: []
stdout: out.txt
outputs: { out: stdout }
`,
  });
  const tool = join(folder, 'tool.cwl');
  assert.match((await helper.run(['dependencies', tool])).stdout, /^image test\/base:latest$/m);
  for (const _ of [1, 2]) {
    const ran = await helper.run(['run', '--engine', 'proot', '--pull', 'never', tool], { cwd: folder });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(readFileSync(join(folder, 'out.txt'), 'utf8'), 'built\n');
    assert.match(ran.stderr, /^dockerFile of tool\.cwl:\d+:2: RUN echo built/m);
  }
  // As the editor starts it.
  const served = helper.serve();
  try {
    const request = { sources: [], tool, inputs: {}, label: 'built', options: { engine: 'proot' } };
    const { id } = await served.connection.sendRequest(startRun, request);
    let state = '';
    for (let i = 0; i < 300 && !['success', 'failure', 'cancelled'].includes(state); i++) {
      await new Promise(resolve => setTimeout(resolve, 100));
      ({ state } = await served.connection.sendRequest(showRun, { id }));
    }
    const log = readFileSync(join(helper.home, 'runs', id, 'log'), 'utf8');
    assert.equal(state, 'success', log);
    assert.match(log, /RUN echo built/);
  } finally {
    await served.close();
  }
  assert.match((await helper.run(['image', 'list'])).stdout, /test\/by-cwl/);
});

test('a file of the same size is seen to have changed, also by later builds', async () => {
  const lines = ['FROM scratch', ...['1', '2', '3', '4'].map(each => `COPY ${each} /x`)];
  const files = { '1': 'a', '2': 'b', '3': 'c', '4': 'd', 'f/y': '' };
  for (const more of [[], ['COPY f /f/'], ['COPY f /g/']]) {
    const made = await build({ ...files, Dockerfile: [...lines, ...more].join('\n') });
    assert.equal(readFileSync(join(made.rootfs, 'x'), 'utf8'), 'd', made.stderr);
  }
});

test('ADD fetches a URL, checks it, and needs no context', async () => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/file.txt' ? 200 : 404).end('web\n');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const digest = createHash('sha256').update('web\n').digest('hex');
    const add = (line: string) =>
      helper.run(['docker', 'build', '-'], { input: `${from}${line}\n`, env: { no_proxy: '*' } });
    const made = await add(`ADD --checksum=sha256:${digest} ${url}/file.txt /one/\nADD ${url}/file.txt /two`);
    const rootfs = made.stdout.split('\n')[1] as string;
    assert.equal(readFileSync(join(rootfs, 'one/file.txt'), 'utf8'), 'web\n', made.stderr);
    assert.equal(lstatSync(join(rootfs, 'two')).mode & 0o777, 0o600);
    const wrong = await add(`ADD --checksum=sha256:${'0'.repeat(64)} ${url}/file.txt /one/`);
    assert.match(wrong.stderr, /Dockerfile:2: ADD: .* has the digest sha256:/);
    assert.match((await add(`ADD ${url}/absent /one/`)).stderr, /could not be fetched: the server answers 404/);
  } finally {
    server.close();
  }
  builder.assertNothingHalfMade();
});
