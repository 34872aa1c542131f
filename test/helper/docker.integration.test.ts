// The front that speaks as Docker does: by hand, and called by Debian's cwltool, as an unprivileged user.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage } from '../support/images.ts';
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
