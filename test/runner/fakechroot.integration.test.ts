// Tools under fakechroot, in a Debian of the same glibc as this machine's, as a user without rights.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeFiles } from '../support/files.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot, needPackages, run } from '../support/machine.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const library = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/fakechroot/libfakechroot.so`;
const skip = isRoot ? false : 'only root can set up a Debian of its own';
let helper: InstalledHelper;
let folder: string;

const tool = (body: string, more = '', image = 'dockerImport: debian.tar') =>
  `cwlVersion: v1.2\nclass: CommandLineTool\nrequirements:\n  DockerRequirement: {${image}}\n${more}${body}`;

before(
  async () => {
    if (skip) return;
    needPackages('fakechroot', 'mmdebstrap', 'musl-tools', 'busybox-static');
    const user = findUser();
    helper = await installHelper(user);
    cpSync(join(root, 'native/bin', `linux-${process.arch}`), join(helper.folder, 'bin'), { recursive: true });
    folder = join(helper.folder, 'documents');
    writeLayout(join(folder, 'static'), { 'local/static:1': busyboxImage() });
    makeMuslImage(join(folder, 'musl.tar'));
    writeFiles(folder, {
      'in put.txt': 'input\n',
      'dir/inner/a': 'a\n',
      'look.cwl': tool(
        `baseCommand: [sh, -c]
arguments:
  - |
    pwd; echo $HOME $TMPDIR $TOKEN; id -u; cat "$0"; cat; cat staged; ls tree/inner; perl -e 'print "$0\\n"'; awk 'BEGIN {print "awk"}'
    (echo x >> "$0") 2>/dev/null && echo wrote input
    (echo x > /etc/made) 2>/dev/null && echo wrote image
    (echo x > /var/tmp/made || echo x > /usr/made) 2>/dev/null && echo wrote elsewhere
    [ -e /home/cwl-test ] && ls /home/*; ls /in /in/0 | tr '\\n' ' '; touch $TMPDIR/t /tmp/u; echo >> tree/inner/a; echo made > made.txt
    ln -s "$0" l1; ln -s "$PWD/made.txt" l2
stdin: $(inputs.file.path)
inputs: {file: {type: File, inputBinding: {}}, dir: Directory}
outputs: {said: stdout, made: {type: 'File[]', outputBinding: {glob: [made.txt, "l?"]}}}
stdout: said.txt
`,
        `  EnvVarRequirement: {envDef: {TOKEN: "a=b c"}}
  InitialWorkDirRequirement:
    listing: [{entryname: staged, entry: staged}, {entryname: tree, entry: $(inputs.dir), writable: true}]
`,
      ),
      'look.yml': 'file: {class: File, location: "in put.txt"}\ndir: {class: Directory, location: dir}\n',
      // A program that asks the kernel where it is gets the host's name for the place.
      'json.cwl': tool(
        `baseCommand: [perl, -MCwd, -e]
arguments: ['open F, ">x"; print F "x"; close F; open J, ">cwl.output.json"; print J "{\\"made\\": {\\"class\\": \\"File\\", \\"path\\": \\"".getcwd()."/x\\"}}"']
inputs: []
outputs: {made: File}
`,
      ),
      'outdir.cwl': tool(
        'baseCommand: [sh, -c, "pwd; cp /etc/debian_version v"]\ninputs: []\noutputs: {said: stdout, v: {type: File, outputBinding: {glob: v}}}\nstdout: said.txt\n',
        '',
        'dockerImport: debian.tar, dockerOutputDirectory: /srv/deep/out',
      ),
      'inplace.cwl': tool(
        'baseCommand: [sh, -c, "echo more >> file"]\ninputs: {file: File}\noutputs: {}\n',
        '  InplaceUpdateRequirement: {inplaceUpdate: true}\n  InitialWorkDirRequirement: {listing: [{entryname: file, entry: $(inputs.file), writable: true}]}\n',
      ),
      'fail.cwl': tool('baseCommand: [sh, -c, "echo no good >&2; exit 3"]\ninputs: []\noutputs: []\n'),
      'none.cwl': tool('baseCommand: no-such-program\ninputs: []\noutputs: []\n'),
      'signal.cwl': tool('baseCommand: [sh, -c, "kill -9 $$"]\ninputs: []\noutputs: []\n', ''),
      'own.cwl': tool(
        'baseCommand: "true"\ninputs: []\noutputs: []\n',
        '  EnvVarRequirement: {envDef: {FAKECHROOT_BASE: /}}\n',
      ),
      'static.cwl': tool(
        'baseCommand: ./busybox\narguments: [sh, -c, \'cat "$0"\', $(inputs.secret)]\ninputs: {secret: string, busybox: File}\noutputs: {said: stdout}\nstdout: said.txt\n',
        '  InitialWorkDirRequirement: {listing: [$(inputs.busybox)]}\n',
      ),
      'in-static.cwl': tool('baseCommand: "true"\ninputs: []\noutputs: []\n', '', 'dockerLoad: static'),
      'in-musl.cwl': tool('baseCommand: "true"\ninputs: []\noutputs: []\n', '', 'dockerImport: musl.tar'),
    });
    const debian = join(folder, 'debian.tar');
    run('mmdebstrap', [
      '--quiet',
      '--variant=essential',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      'bookworm',
      debian,
    ]);
    spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
  },
  { timeout: 300_000 },
);
after(() => helper?.remove());

/** A shell that is made with musl, with musl's loader: it is never reached. */
function makeMuslImage(archive: string): void {
  const place = join(folder, 'musl');
  writeFiles(folder, { 'musl.c': 'int main(void) { return 0; }\n' });
  mkdirSync(join(place, 'bin'), { recursive: true });
  run('musl-gcc', ['-o', join(place, 'bin/sh'), join(folder, 'musl.c')]);
  run('tar', ['-C', place, '-cf', archive, '.']);
}

async function runTool(...args: string[]) {
  return runWith([], ...args);
}

async function runWith(options: string[], ...args: string[]) {
  const outdir = join(folder, `out-${args[0]}`);
  const own = ['run', '--engine', 'fakechroot', ...options, '--outdir', outdir, '--log-dir', join(folder, 'logs')];
  const result = await helper.run([...own, ...args], { cwd: folder });
  return { ...result, read: (file: string) => readFileSync(join(outdir, file), 'utf8') };
}

test('a tool sees its image and what it was given, and changes nothing else', { skip }, async () => {
  const result = await runTool('look.cwl', 'look.yml');
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /fakechroot is no sandbox/);
  const uid = String(findUser().uid);
  assert.deepEqual(result.read('said.txt').trim().split('\n'), [
    ...['/w', '/w /t a=b c', uid, 'input', 'input', 'stageda', '-e', 'awk'],
    '/in: 0 1  /in/0: in put.txt',
  ]);
  for (const name of ['made.txt', 'l2']) assert.equal(result.read(name), 'made\n');
  assert.equal(result.read('l1'), 'input\n');
  assert.equal(readFileSync(join(folder, 'in put.txt'), 'utf8'), 'input\n');
  assert.equal(readFileSync(join(folder, 'dir/inner/a'), 'utf8'), 'a\n');
  const [hex = ''] = readdirSync(join(helper.home, 'images/rootfs/v1'));
  const views = readdirSync(join(helper.home, 'images/rootfs/v1', hex)).sort();
  assert.deepEqual(views, ['fakechroot', 'image.json', 'root']);
  const journal = readFileSync(join(folder, 'logs/journal.jsonl'), 'utf8').trim().split('\n');
  const started = journal.map(line => JSON.parse(line)).findLast(event => event.state === 'running');
  assert.equal(started.engine, 'fakechroot');
  assert.equal(started.rules.network, 'open');
});

test('paths that a tool has from the kernel, and a deep output directory, are understood', { skip }, async () => {
  const json = await runTool('json.cwl');
  assert.equal(json.code, 0, json.stderr);
  assert.equal(json.read('x'), 'x');
  const outdir = await runTool('outdir.cwl');
  assert.equal(outdir.code, 0, outdir.stderr);
  assert.equal(outdir.read('said.txt'), '/srv/deep/out\n');
  assert.match(outdir.read('v'), /^12\./);
});

test('an input is changed in its place where the document says so', { skip }, async () => {
  writeFileSync(join(folder, 'changed.txt'), 'first\n');
  spawnSync('chown', [findUser().name, join(folder, 'changed.txt')]);
  const result = await runTool('inplace.cwl', '--file', 'changed.txt');
  assert.equal(result.code, 0, result.stderr);
  assert.equal(readFileSync(join(folder, 'changed.txt'), 'utf8'), 'first\nmore\n');
});

test('exit codes are those of the tool', { skip }, async () => {
  assert.match((await runTool('fail.cwl')).stderr, /ended with exit code 3[\s\S]*no good/);
  assert.match((await runTool('none.cwl')).stderr, /ended with exit code 127[\s\S]*no-such-program/);
  assert.match((await runTool('signal.cwl')).stderr, /SIGKILL/);
});

test('a static program does not read what the step was not given, where the kernel has Landlock', { skip }, async t => {
  const features = run(join(root, 'native/bin', `linux-${process.arch}`, 'launcher'), ['--features']);
  if (Number(/landlock=(\d+)/.exec(features)?.[1]) < 3) return t.skip('this kernel has no Landlock');
  writeFileSync(join(folder, 'secret'), 'known\n');
  const result = await runTool('static.cwl', '--secret', join(folder, 'secret'), '--busybox', '/bin/busybox');
  assert.equal(result.code, 1);
  assert.match(result.stderr, /Permission denied/);
  assert.ok(!result.stderr.includes('known'));
});

test('what fakechroot cannot do is refused with what to do', { skip }, async () => {
  const refuse = async (pattern: RegExp, result: ReturnType<typeof runTool>) => {
    const { code, stderr } = await result;
    assert.equal(code, 1, stderr);
    assert.match(stderr, pattern);
  };
  await refuse(/its \/bin\/sh is a static program[\s\S]*--engine auto/, runTool('in-static.cwl'));
  await refuse(/built on musl[\s\S]*--engine auto/, runTool('in-musl.cwl'));
  await refuse(/FAKECHROOT_BASE is fakechroot's own variable/, runTool('own.cwl'));
  writeFileSync(join(folder, 'libfakechroot.so'), needNewerLibrary(readFileSync(library)));
  const newer = runWith(['--docker-command', './libfakechroot.so'], 'fail.cwl');
  await refuse(/needs GLIBC 9\.99, and the C library in there is older[\s\S]*as old as the image/, newer);
  const absent = runWith(['--docker-command', './no-such'], 'fail.cwl');
  await refuse(/there is no \.\/no-such here[\s\S]*libfakechroot\.so/, absent);
});

test('docker, shell and probe know it, and auto does not take it', { skip }, async () => {
  const probed = await helper.run(['probe', '--engine', 'fakechroot']);
  assert.equal(probed.code, 0, probed.stderr);
  assert.match(probed.stdout, /yes {2}fakechroot: .*no sandbox/);
  assert.ok(!(await helper.run(['probe'])).stdout.includes('fakechroot'));
  await helper.run(['docker', 'import', join(folder, 'debian.tar'), 'local/debian']);
  const words = ['--docker-command', library, 'run', '--rm', '-v', `${folder}/dir:/dir:ro`, '-w', '/dir'];
  const front = await helper.run(['docker', '--engine', 'fakechroot', ...words, 'local/debian', 'ls', 'inner']);
  assert.equal(front.stdout, 'a\n', front.stderr);
  await runWith(['--keep'], 'fail.cwl');
  const [failed] = JSON.parse((await helper.run(['runs', 'list', '--json'])).stdout);
  const script = ['sh', '-c', 'pwd; ls /home; exit 4'];
  const shell = await helper.run(['shell', '--docker-command', library, failed.id, 'main', '--', ...script]);
  assert.deepEqual([shell.code, shell.stdout], [4, '/w\n'], shell.stderr);
});

/** The library as one that was linked against a newer glibc: a version that it needs is called otherwise. */
function needNewerLibrary(bytes: Buffer): Buffer {
  const from = 'GLIBC_2.34';
  const to = 'GLIBC_9.99';
  const hash = (name: string) => {
    // The System V hash of the ELF specification.
    let value = 0;
    for (const byte of Buffer.from(name)) {
      value = (value * 16 + byte) >>> 0;
      const high = value & 0xf0000000;
      value = (value ^ (high >>> 24)) & ~high;
    }
    const word = Buffer.alloc(4);
    word.writeUInt32LE(value >>> 0);
    return word;
  };
  const changed = Buffer.from(bytes);
  changed.write(to, changed.indexOf(`${from}\0`));
  hash(to).copy(changed, changed.indexOf(hash(from)));
  return changed;
}
