// The front that speaks as Docker does: by hand, and called by Debian's cwltool, as an unprivileged user.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, run, runAs } from '../support/machine.ts';
import { noRegistry, pushImage, type Registry, startRegistry } from '../support/registry.ts';

let helper: InstalledHelper;
let registry: Registry;
let front: string;
let image: string;
let counter = 0;

before(async () => {
  if (noRegistry) return;
  helper = await installHelper(findUser());
  registry = await startRegistry();
  await pushImage(registry, 'test/busybox:v1', busyboxImage({ config: { Entrypoint: ['/bin/env'], Cmd: ['true'] } }));
  await pushImage(registry, 'test/shell:v1', busyboxImage());
  image = `${registry.host}/test/shell:v1`;
  front = join(helper.folder, 'docker-here');
  const words = [helper.node, helper.bundle, 'docker', '"$@"'].join(' ');
  writeFileSync(front, `#!/bin/sh\nCWL_ON_CLUSTERS_HOME=${helper.home} exec ${words}\n`);
  chmodSync(front, 0o755);
});
after(async () => {
  await registry?.stop();
  helper?.remove();
});

function docker(args: string[], options: { input?: string } = {}) {
  return runAs(helper.user, front, args, { cwd: helper.folder, ...options });
}

function makeOwn(): string {
  const path = join(helper.folder, `own-${++counter}`);
  mkdirSync(path);
  if (isRoot) chownSync(path, helper.user.uid, helper.user.gid);
  return path;
}

test('pull, images, inspect and rmi speak of the same image', { skip: noRegistry }, async () => {
  const name = `${registry.host}/test/busybox`;
  const pulled = await docker(['pull', `${name}:v1`]);
  assert.equal(pulled.code, 0, pulled.stderr);
  const listed = (await docker(['images', '--no-trunc', '--all'])).stdout;
  const [, repository, tag, id] = new RegExp(`^(${name})\\s+(\\S+)\\s+(\\S+)`, 'm').exec(listed) ?? [];
  assert.deepEqual([repository, tag], [name, 'v1'], listed);
  assert.match(id as string, /^sha256:[0-9a-f]{64}$/);
  const [described] = JSON.parse((await docker(['inspect', `${name}:v1`])).stdout);
  assert.deepEqual([described.Id, described.Config.Entrypoint, described.Config.Cmd], [id, ['/bin/env'], ['true']]);
  assert.ok(existsSync(join(described.GraphDriver.Data.Root, 'bin/busybox')));
  assert.equal((await docker(['run', '--rm', id as string, 'echo', 'by id'])).stdout, 'by id\n');
  assert.equal((await docker(['image', 'rm', `${name}:v1`])).code, 0);
  assert.equal((await docker(['inspect', `${name}:v1`])).code, 1);
});

test('run: exit statuses, streams, entry points, environment and directories', { skip: noRegistry }, async () => {
  const own = makeOwn();
  const entry = `${registry.host}/test/busybox:v1`;
  assert.equal((await docker(['run', '--rm', image, 'sh', '-c', 'exit 7'])).code, 7);
  assert.equal((await docker(['run', '-i', image, 'cat'], { input: 'through\n' })).stdout, 'through\n');
  assert.equal((await docker(['run', '--rm', entry])).code, 0);
  assert.match((await docker(['run', '-e', 'A=b c', '--env=D=e=f', entry])).stdout, /^$/);
  const variables = (await docker(['run', '-eA=b c', '--env', 'D=e=f', image, 'env'])).stdout.split('\n');
  assert.ok(variables.includes('A=b c') && variables.includes('D=e=f'), variables.join('\n'));
  assert.ok(!variables.some(each => each.includes(helper.user.home)), 'nothing of the caller is handed down');
  assert.equal((await docker(['run', '--entrypoint', '/bin/echo', entry, 'x', '-y'])).stdout, 'x -y\n');
  assert.equal((await docker(['run', '-w', '/usr', image, 'pwd'])).stdout, '/usr\n');
  const written = await docker([
    'run',
    `-v${own}:/data`,
    '-w/data',
    image,
    'sh',
    '-c',
    'echo made >file; echo x >/tmp/y',
  ]);
  assert.equal(written.code, 0, written.stderr);
  assert.equal(readFileSync(join(own, 'file'), 'utf8'), 'made\n');
  const id = await docker(['run', '--user=5:6', image, 'id', '-u']);
  assert.equal(id.stdout, '5\n', id.stderr);
  assert.equal((await docker(['run', '-u', 'nobody', image, 'id', '-g'])).stdout, '65534\n');
  assert.equal((await docker(['run', '-w', '/not/there', image, 'sh', '-c', 'pwd; echo x >y'])).stdout, '/not/there\n');
  writeFileSync(join(own, 'vars'), '# no\nA=b c\n\nPATH\n');
  const named = await docker([
    'run',
    '--env-file',
    join(own, 'vars'),
    '--name=n',
    '--cidfile',
    join(own, 'cid'),
    image,
    'env',
  ]);
  assert.match(named.stdout, /^A=b c$/m);
  assert.match(readFileSync(join(own, 'cid'), 'utf8'), /^[0-9a-f]{64}$/);
  const shut = await docker([
    'run',
    '--read-only',
    '--tmpfs=/t:size=1m',
    '-h',
    'other',
    image,
    'sh',
    '-c',
    'echo x >/t/x; echo $?; touch /tmp/x',
  ]);
  assert.equal(shut.stdout, '0\n');
  assert.match(shut.stderr, /--hostname other is not kept: the name of the host stays/);
  assert.match(shut.stderr, /size=1m is not kept/);
  assert.match((await docker(['run', '-m', '1g', image, 'true'])).stderr, /--memory 1g is not kept/);
});

test('images, inspect and version fill in templates', { skip: noRegistry }, async () => {
  const text = async (...args: string[]) => {
    const { code, stdout, stderr } = await docker(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const dockerfile = `FROM ${image}
LABEL a=b "c d"=e
EXPOSE 80
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
USER 5:6
WORKDIR /w
ONBUILD RUN true
SHELL ["/bin/sh", "-ec"]
ENV X=y
`;
  const built = await docker(['build', '-t', 'test/described:1', '-t', 'test/described:2', '-'], { input: dockerfile });
  assert.equal(built.code, 0, built.stderr);
  const [{ Config: config, Architecture: architecture }] = JSON.parse(await text('inspect', 'test/described:1'));
  assert.equal(architecture, process.arch === 'x64' ? 'amd64' : process.arch);
  assert.deepEqual(
    { ...config, Env: undefined },
    {
      Env: undefined,
      Entrypoint: null,
      Cmd: ['sh'],
      WorkingDir: '/w',
      User: '5:6',
      Labels: { a: 'b', 'c d': 'e' },
      Volumes: { '/data': {} },
      OnBuild: ['RUN true'],
      ExposedPorts: { '80/tcp': {} },
      StopSignal: 'SIGINT',
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
      Shell: ['/bin/sh', '-ec'],
    },
  );
  const format = (template: string) => text('inspect', '--format', template, 'test/described:1');
  assert.equal(await format('{{.Config.WorkingDir}} {{.Config.Cmd}} {{.Config.Labels}}'), '/w [sh] map[a:b c d:e]\n');
  assert.equal(await format('{{json .Config.Volumes}}|{{.Config.Absent}}'), '{"/data":{}}|<no value>\n');
  assert.equal(await format('{{index .Config.Labels "c d"}} {{index .RepoTags 0}}'), 'e test/described:1\n');
  assert.equal(await format('{{range .Config.Env}}{{println .}}{{end}}').then(all => /^X=y$/m.test(all)), true);
  assert.equal(await format('{{if .Config.Entrypoint}}yes{{else}}no{{end}} {{len .RepoTags}}'), 'no 2\n');
  assert.equal(await format('{{join .Config.Cmd ","}}{{ .Os | upper }}{{if eq .Os "linux"}}!{{end}}'), 'shLINUX!\n');
  for (const wrong of ['{{.Id', '{{end}}', '{{range .X}}', '{{exec "x"}}', '{{.Id | nothing}}', '{{.Id "x"}}']) {
    const { code } = await docker(['inspect', '-f', wrong, 'test/described:1']);
    // What is no action is text, as with Go's braces that do not close.
    assert.equal(code, wrong === '{{.Id' ? 0 : 2, wrong);
  }
  const id = (await format('{{.Id}}')).trim();
  assert.equal(await text('images', '-q', '--no-trunc', 'test/described'), `${id}\n`);
  assert.equal(
    await text('images', '--format', '{{.Repository}}:{{.Tag}}', 'test/described'),
    'test/described:1\ntest/described:2\n',
  );
  assert.match(await text('images', '--format', 'table {{.Tag}}\\t{{.ID}}'), /^TAG +ID\n/);
  assert.equal(JSON.parse((await text('images', '--format', 'json', 'test/described:2')).trim()).Tag, '2');
  assert.match(await text('version', '--format', '{{.Server.Version}}'), /^\d+\.\d+\.\d+/);
});

test('load brings all images of an archive, and tells all their names', { skip: noRegistry }, async () => {
  const layout = join(helper.folder, 'several');
  const other = busyboxImage({ config: { Cmd: ['other'] } });
  writeLayout(layout, { 'test/one:1': busyboxImage(), 'test/one:2': busyboxImage(), 'test/other:1': other });
  run('tar', ['-C', layout, '-cf', `${layout}.tar`, '.']);
  run('chmod', ['a+r', `${layout}.tar`]);
  const { stdout, stderr } = await docker(['load', '-i', `${layout}.tar`]);
  assert.deepEqual(
    stdout.trim().split('\n').sort(),
    ['test/one:1', 'test/one:2', 'test/other:1'].map(name => `Loaded image: docker.io/${name}`),
    stderr,
  );
  assert.equal((await docker(['inspect', '-f', '{{.Config.Cmd}}', 'test/other:1'])).stdout, '[other]\n');
});

test('run: what is read-only and what has no network stays so', { skip: noRegistry }, async () => {
  const own = makeOwn();
  writeFileSync(join(own, 'input'), 'as it was\n');
  if (isRoot) chownSync(join(own, 'input'), helper.user.uid, helper.user.gid);
  const report = JSON.parse((await helper.run(['probe', '--json'])).stdout) as { best: string };
  if (report.best === 'userns') {
    for (const volume of [`--volume=${own}:/in:ro`, `--mount=type=bind,source=${own},target=/in,readonly`]) {
      const tried = await docker(['run', volume, image, 'sh', '-c', 'cat /in/input; echo changed >/in/input']);
      assert.equal(tried.stdout, 'as it was\n');
      assert.notEqual(tried.code, 0);
    }
    assert.equal(readFileSync(join(own, 'input'), 'utf8'), 'as it was\n');
  }
  const [address, port] = registry.host.split(':') as [string, string];
  const ask = ['nc', '-w', '2', address, port];
  assert.equal((await docker(['run', image, ...ask], { input: '' })).code, 0);
  assert.notEqual((await docker(['run', '--net=none', image, ...ask], { input: '' })).code, 0);
});

test('run: what it cannot do is refused with 125, and nothing is run', { skip: noRegistry }, async () => {
  for (const args of [
    ['-d', image],
    ['-p', '80:80', image],
    ['--privileged', image],
    ['--gpus=all', image],
    ['--security-opt', 'seccomp=unconfined', image],
    ['--user', 'stranger', image],
    ['-v', 'named:/x', image],
  ]) {
    const { code, stdout, stderr } = await docker(['run', ...args, 'echo', 'ran']);
    assert.deepEqual([code, stdout], [125, ''], stderr);
  }
  const missing = await docker(['run', `${registry.host}/test/absent:v1`]);
  assert.equal(missing.code, 125);
  assert.match(missing.stderr, /absent/);
});

test('cwltool runs a tool in its image through the front', { skip: noRegistry }, async () => {
  needPackages('cwltool', 'python3-setuptools');
  const own = makeOwn();
  const files = {
    'tool.cwl': `cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: { dockerPull: "${image}" }
  InitialWorkDirRequirement:
    listing: [{ entryname: "a,b.txt", entry: "literal\\n" }]
baseCommand: [sh, -c]
arguments:
  - 'cat "$0" "a,b.txt"; cat; echo "$HOME" | grep -v ${helper.user.home} >where; test ! -e ${helper.folder} && echo boxed'
  - $(inputs.text.path)
inputs:
  text: File
stdin: $(inputs.text.path)
stdout: out.txt
outputs:
  out: stdout
  where: { type: File, outputBinding: { glob: where } }
`,
    'inputs.yml': 'text: { class: File, path: "input.txt" }\n',
    'input.txt': 'given\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(own, name), text);
  const cwltool = (args: string[], path = process.env.PATH) =>
    runAs(helper.user, '/usr/bin/cwltool', [...args, 'tool.cwl', 'inputs.yml'], { cwd: own, env: { PATH: path } });
  const expected = 'given\nliteral\ngiven\nboxed\n';

  const first = await cwltool(['--user-space-docker-cmd', front, '--outdir', 'one']);
  assert.equal(first.code, 0, first.stderr);
  assert.equal(readFileSync(join(own, 'one/out.txt'), 'utf8'), expected);

  // In Docker's own place, where cwltool also asks for no network, the caller's ids and a file with a number.
  const bin = join(own, 'bin');
  mkdirSync(bin);
  run('cp', [front, join(bin, 'docker')]);
  const second = await cwltool(['--outdir', 'two'], `${bin}:/usr/bin:/bin`);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /--net=none/);
  assert.equal(readFileSync(join(own, 'two/out.txt'), 'utf8'), expected);
});
