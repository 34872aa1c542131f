// Tools in images, under PRoot and in user namespaces, as a user without rights.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeFiles } from '../support/files.ts';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';

const kit = join(import.meta.dirname, '..', '..', 'dist', 'kit', `linux-${process.arch}`, 'bin', 'proot');
const skip = !isRoot
  ? 'only root can make a user without rights'
  : existsSync(kit)
    ? false
    : 'there is no kit in dist/: npm run build';

const manyFiles = Array.from({ length: 1500 }, (_, i) => `data/many/${i}.txt`);

let helper: InstalledHelper;
let folder: string;

before(async () => {
  if (skip) return;
  const user = findUser();
  helper = await installHelper(user);
  folder = join(helper.folder, 'documents');
  const script = '#!/bin/sh\necho "entered with $#: $*" >&2\nexec "$@"\n';
  const entered = busyboxImage({
    layers: [new Layer().file('enter.sh', script, 0o755)],
    config: {
      Env: ['PATH=/bin:/usr/bin', 'FROM_IMAGE=yes'],
      Entrypoint: ['/enter.sh'],
      Cmd: ['echo', 'the default command'],
    },
  });
  writeLayout(join(folder, 'image'), { 'local/entered:1': entered });
  const requirements = (more = '') => `requirements:\n  DockerRequirement: {dockerLoad: image${more}}\n`;
  const tool = (body: string, more = '') => `cwlVersion: v1.2\nclass: CommandLineTool\n${requirements(more)}${body}`;
  writeFiles(folder, {
    'data/reads.txt': 'reads\n',
    'data/reads.txt.idx': 'index\n',
    'data/deep/file.txt': 'deep\n',
    'look.cwl': tool(`  InitialWorkDirRequirement:
    listing:
      - $(inputs.file)
      - {entryname: own/script.sh, entry: "cat $(inputs.file.path) $(inputs.file.path).idx"}
      - {entryname: copy.txt, entry: $(inputs.file), writable: true}
      - {entryname: /etc/placed.conf, entry: "placed here"}
baseCommand: [sh, -c]
arguments:
  - |
    pwd; echo $HOME $TMPDIR; env | sort | cut -d= -f1 | grep -vxE 'PWD|SHLVL|OLDPWD|_' | tr '\\n' ' '; echo
    sh own/script.sh; cat /etc/placed.conf; echo
    echo changed >> copy.txt && echo copied
    (echo x >> $(inputs.file.path)) 2>/dev/null && echo wrote
    cat $(inputs.made.path)/sub/inner.txt $(inputs.made.path)/file.txt; ls $(inputs.made.path)
    ln -s /w/copy.txt link.txt; mkdir d; ln -s /w/copy.txt d/inner; touch $TMPDIR/t /tmp/u
    [ -e /home/cwl-test ] || echo no host
inputs:
  file: {type: File, secondaryFiles: [.idx]}
  made: Directory
outputs:
  said: stdout
  link: {type: File, outputBinding: {glob: link.txt}}
  d: {type: Directory, outputBinding: {glob: d}}
  back: {type: File, secondaryFiles: [.idx], outputBinding: {glob: reads.txt}}
stdout: said.txt
`),
    // Three at a time, each behind the one before it in its own network. The one that listens has a standard input
    // without an end: it would say goodbye at once, perhaps before the other one has spoken.
    'network.cwl': `cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {names: "string[]"}
steps:
  look:
    scatter: name
    run:
      class: CommandLineTool
      requirements: {DockerRequirement: {dockerLoad: image}}
      baseCommand: [sh, -c, 'grep -c : /proc/net/dev; ls -l /proc/self/ns/net; mkfifo $TMPDIR/idle; nc -l -p 4711 <>$TMPDIR/idle >got & until echo $0 | nc 127.0.0.1 4711; do sleep 0.2; done; wait; cat got']
      inputs: {name: {type: string, inputBinding: {}}}
      outputs: {said: stdout}
      stdout: said.txt
    in: {name: names}
    out: [said]
outputs: {all: {type: "File[]", outputSource: look/said}}
`,
    'network.yml': 'names: [a, b, c, d, e, f]\n',
    'look.yml': `file: {class: File, location: data/reads.txt}
made:
  class: Directory
  basename: made
  listing:
    - {class: File, location: data/deep/file.txt}
    - {class: Directory, basename: sub, listing: [{class: File, basename: inner.txt, contents: "inner\\n"}]}
`,
    'default.cwl': tool('baseCommand: []\ninputs: []\noutputs: {o: stdout}\nstdout: o.txt\n'),
    'elsewhere.cwl': tool(
      'baseCommand: [sh, -c, "pwd > where; cat where"]\ninputs: []\noutputs: {o: {type: File, outputBinding: {glob: $(runtime.outdir)/where}}}\n',
      ', dockerOutputDirectory: /other/place',
    ),
    'many.cwl': tool(
      'baseCommand: cat\ninputs: {files: {type: "File[]", inputBinding: {}}}\noutputs: {o: stdout}\nstdout: all.txt\n',
    ),
    'many.yml': `files: [${manyFiles.map(name => `{class: File, location: ${name}}`).join(', ')}]\n`,
    ...Object.fromEntries(manyFiles.map(name => [name, `${name}\n`])),
    'spoil.cwl': tool('baseCommand: [sh, -c, "echo x > /etc/spoiled"]\ninputs: []\noutputs: []\n'),
    'chmod.cwl': tool('baseCommand: [chmod, "600"]\ninputs: {f: {type: File, inputBinding: {}}}\noutputs: []\n'),
    // Goes on until it is told to end.
    'wait.cwl': tool(
      'baseCommand: [sh, -c, "echo >started; until [ -e go ]; do sleep 0.1; done"]\ninputs: {f: File?}\noutputs: []\n',
    ),
    'leak.cwl': tool(
      'baseCommand: [ln, -s, /etc/passwd, out]\ninputs: []\noutputs: {o: {type: File, outputBinding: {glob: out}}}\n',
    ),
  });
  spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
});
after(() => helper?.remove());

for (const engine of ['proot', 'userns']) {
  const run = async (...args: string[]) => {
    const outdir = join(folder, `out-${engine}-${args[0]}`);
    const result = await helper.run(['run', '--engine', engine, '--outdir', outdir, ...args], { cwd: folder });
    return { ...result, outdir, read: (name: string) => readFileSync(join(outdir, name), 'utf8') };
  };
  /** Whether this engine works here is the engine's business; where it does not, there is nothing to test. */
  const unusable = (stderr: string) => /no sandbox works/.test(stderr);

  test(`${engine}: a tool sees its image, its inputs and what it asked for, and nothing else`, { skip }, async t => {
    const result = await run('look.cwl', 'look.yml');
    if (unusable(result.stderr)) return t.skip(result.stderr.trim());
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(result.read('said.txt').trim().split('\n'), [
      '/w',
      '/w /t',
      'FROM_IMAGE HOME PATH TMPDIR ',
      'reads',
      'index',
      'placed here',
      'copied',
      'inner',
      'deep',
      'file.txt',
      'sub',
      'no host',
    ]);
    assert.equal(result.read('link.txt'), 'reads\nchanged\n');
    assert.equal(result.read('d/inner'), 'reads\nchanged\n');
    assert.equal(result.read('reads.txt'), 'reads\n');
    assert.equal(result.read('reads.txt.idx'), 'index\n');
    assert.equal(readFileSync(join(folder, 'data', 'reads.txt'), 'utf8'), 'reads\n');
    const outputs = JSON.parse(result.stdout);
    assert.deepEqual(
      outputs.d.listing.map((each: { basename: string }) => each.basename),
      ['inner'],
    );
    assert.equal(outputs.link.basename, 'link.txt');
  });

  test(`${engine}: the entry point runs first, and the image's command where there is none`, { skip }, async t => {
    const result = await run('default.cwl');
    if (unusable(result.stderr)) return t.skip(result.stderr.trim());
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.read('o.txt'), 'the default command\n');
  });

  test(`${engine}: dockerOutputDirectory is the working directory`, { skip }, async t => {
    const result = await run('elsewhere.cwl');
    if (unusable(result.stderr)) return t.skip(result.stderr.trim());
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.read('where'), '/other/place\n');
  });

  test(`${engine}: a step can take thousands of files`, { skip }, async t => {
    const result = await run('many.cwl', 'many.yml');
    if (unusable(result.stderr)) return t.skip(result.stderr.trim());
    assert.equal(result.code, 0, result.stderr.slice(-2000));
    assert.equal(result.read('all.txt'), manyFiles.map(name => `${name}\n`).join(''));
  });

  test(`${engine}: tasks have no network, and do not meet on the loopback device`, { skip }, async t => {
    const own = readlinkSync('/proc/self/ns/net');
    const result = await run('--parallel', '3', 'network.cwl', 'network.yml');
    if (unusable(result.stderr)) return t.skip(result.stderr.trim());
    assert.equal(result.code, 0, result.stderr);
    const { all } = JSON.parse(result.stdout) as { all: { location: string }[] };
    for (const [index, { location }] of all.entries()) {
      const said = readFileSync(fileURLToPath(location), 'utf8');
      assert.match(said, new RegExp(`net:\\[\\d+\\]\n${'abcdef'[index]}\n$`));
      assert.ok(!said.includes(own));
    }
  });

  test(`${engine}: a link into the image is no output`, { skip }, async t => {
    const result = await run('leak.cwl');
    if (unusable(result.stderr)) return t.skip(result.stderr.trim());
    assert.equal(result.code, 1);
    assert.match(result.stderr, /leads to \/etc\/passwd, which is neither an output nor an input/);
  });
}

test('what the kernel does not forbid is found after the step, and told', { skip }, async t => {
  assert.equal((await helper.run(['probe', '--fresh'])).code, 0);
  const [name = ''] = readdirSync(join(helper.home, 'probe')).filter(each => each.endsWith('.json'));
  const path = join(helper.home, 'probe', name);
  const report = JSON.parse(readFileSync(path, 'utf8'));
  t.after(() => rmSync(path));
  // As on kernels before 5.13.
  writeFileSync(path, JSON.stringify({ ...report, features: { ...report.features, landlock: 0 } }));
  const store = join(folder, 'spoiled-images');
  const run = (...args: string[]) =>
    helper.run(['run', '--engine', 'proot', '--image-store', store, '--log-dir', join(folder, 'logs'), ...args], {
      cwd: folder,
    });

  const good = await run('default.cwl');
  assert.equal(good.code, 0, good.stderr);
  const lines = readFileSync(join(folder, 'logs', 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const started = lines.map(line => JSON.parse(line)).find(event => event.state === 'running');
  assert.deepEqual(started.rules, { network: 'kernel', writes: 'open', inputs: 'checked', rootfs: 'checked' });

  for (const args of [['chmod.cwl', '--f', 'data/deep/file.txt'], ['spoil.cwl']]) {
    const refused = await run(...args);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Read-only file system/);
  }

  // What a tool could do only by cheating PRoot is done here from outside while it runs.
  const runs = join(helper.home, 'runs');
  const runWhile = async (change: () => void, ...args: string[]) => {
    const running = run('wait.cwl', ...args);
    const end = Date.now() + 20_000;
    let started: string | undefined;
    while (!started) {
      assert.ok(Date.now() < end, 'the tool has not started');
      await new Promise(resolve => setTimeout(resolve, 50));
      started = readdirSync(runs, { recursive: true, encoding: 'utf8' }).find(each => basename(each) === 'started');
    }
    change();
    writeFileSync(join(runs, dirname(started), 'go'), '');
    return running;
  };
  const file = join(folder, 'data/deep/file.txt');
  const inputs = await runWhile(() => chmodSync(file, 0o600), '--f', file);
  assert.equal(inputs.code, 1);
  assert.match(inputs.stderr, /it changed its inputs, which it may only read: \S+\/file\.txt/);

  for (const each of readdirSync(runs)) rmSync(join(runs, each), { recursive: true });
  const images = join(store, 'rootfs', 'v1');
  const [image = ''] = readdirSync(images);
  const spoiled = await runWhile(() => writeFileSync(join(images, image, 'root/etc/spoiled'), ''));
  assert.equal(spoiled.code, 1);
  const [, cure = ''] =
    /was changed while it ran: \S+\/root\/etc\. Remove it \(`image remove (\S+)`\)/.exec(spoiled.stderr) ?? [];
  assert.notEqual(cure, '', spoiled.stderr);
  const removed = await helper.run(['image', 'remove', '--image-store', store, cure]);
  assert.equal(removed.code, 0, removed.stderr);
  const again = await run('default.cwl');
  assert.equal(again.code, 0, again.stderr);
});
