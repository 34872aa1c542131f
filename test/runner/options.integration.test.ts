// Options of `run` that change what is run, what tools see, and what is left.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makePlace } from './support-run.ts';

const tool = `cwlVersion: v1.2
class: CommandLineTool
requirements: {InlineJavascriptRequirement: {}}
inputs: {x: {type: string, inputBinding: {}}}
outputs: {o: {type: string, outputBinding: {glob: said, loadContents: true, outputEval: '$(self[0].contents.trim())'}}}
baseCommand: echo
stdout: said
`;
const workflow = `cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {a: 'string[]', b: string}
outputs:
  many: {type: 'string[]', outputSource: one/o}
  last: {type: string, outputSource: two/o}
steps:
  one: {run: tool.cwl, scatter: x, in: {x: a}, out: [o]}
  two: {run: tool.cwl, in: {x: b}, out: [o]}
`;
const show = `cwlVersion: v1.2
class: CommandLineTool
inputs: []
outputs: {o: stdout}
baseCommand: env
stdout: env.txt
`;

test('parts of a workflow are run alone, with their inputs as options', async () => {
  const place = makePlace();
  place.write({ 'tool.cwl': tool, 'wf.cwl': workflow });
  const target = await place.run(['--target', 'last', 'wf.cwl', '--b', 'hi']);
  assert.deepEqual(target.outputs, { last: 'hi' }, target.stderr);
  const step = await place.run(['--single-step', 'one', 'wf.cwl', '--x', 'p', '--x', 'q']);
  assert.deepEqual(step.outputs, { o: ['p', 'q'] }, step.stderr);
  const process = await place.run(['--single-process', 'one', 'wf.cwl', '--x', 'r']);
  assert.deepEqual(process.outputs, { o: 'r' }, process.stderr);
  const list = await place.run(['--print-targets', 'wf.cwl']);
  assert.equal(list.stdout, 'output many\noutput last\nstep one\nstep two\n');
  const wrong = await place.run(['--target', 'lasst', 'wf.cwl']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /no step or output lasst.*\n.*many, last, one, two/);
});

test('overrides come from a file of their own or with the inputs', async () => {
  const place = makePlace();
  const set = (value: string) =>
    `cwltool:overrides: {show.cwl: {requirements: {EnvVarRequirement: {envDef: {COLOUR: ${value}}}}}}`;
  place.write({ 'show.cwl': show, 'in.yml': set('red'), 'over.yml': set('blue') });
  const own = await place.run(['show.cwl', 'in.yml']);
  assert.equal(own.code, 0, own.stderr);
  assert.match(readFileSync(join(place.outdir, 'env.txt'), 'utf8'), /^COLOUR=red$/m);
  await place.run(['--overrides', 'over.yml', 'show.cwl', 'in.yml']);
  assert.match(readFileSync(join(place.outdir, 'env.txt'), 'utf8'), /^COLOUR=blue$/m);
});

test('tools see variables of the caller only where that is asked for', async () => {
  const place = makePlace();
  place.write({ 'show.cwl': show });
  const read = async (...args: string[]) => {
    const result = await place.run([...args, 'show.cwl']);
    assert.equal(result.code, 0, result.stderr);
    return readFileSync(join(place.outdir, 'env.txt'), 'utf8');
  };
  assert.doesNotMatch(await read(), /^SECRET=/m);
  assert.match(await read('--preserve-environment', 'SECRET'), /^SECRET=of the caller$/m);
  const all = await read('--preserve-entire-environment');
  assert.match(all, /^CWL_ON_CLUSTERS_HOME=/m);
  assert.doesNotMatch(all, new RegExp(`^HOME=${process.env.HOME}$`, 'm'), 'CWL says what HOME is');
});

test('outputs are left where they were made, or copied from there', async () => {
  const place = makePlace();
  place.write({ 'show.cwl': show });
  const left = await place.run(['--leave-outputs', 'show.cwl']);
  const at = fileURLToPath(left.outputs.o.location);
  assert.ok(at.startsWith(join(place.home, 'runs')), at);
  assert.ok(existsSync(at));
  assert.deepEqual(readdirSync(place.outdir), []);
  const copied = await place.run(['--copy-outputs', 'show.cwl']);
  const folder = /folder of the run is (\S+)/.exec(copied.stderr)?.[1] as string;
  assert.equal(
    readFileSync(join(folder, 'tasks', 'main', 'work', 'env.txt'), 'utf8'),
    readFileSync(join(place.outdir, 'env.txt'), 'utf8'),
  );
});

test('checksums can be left out, and the output object goes to a file as well', async () => {
  const place = makePlace();
  place.write({ 'show.cwl': show });
  const summary = join(place.folder, 'summary.json');
  const result = await place.run(['--no-compute-checksum', '--write-summary', summary, 'show.cwl']);
  assert.equal('checksum' in result.outputs.o, false);
  assert.ok(result.outputs.o.size > 0);
  assert.equal(readFileSync(summary, 'utf8'), result.stdout);
});

test('logs are kept where somebody wants them, each line with its time', async () => {
  const place = makePlace();
  place.write({
    'talk.cwl': show.replace('baseCommand: env', 'baseCommand: [sh, -c, "echo loud >&2; echo out"]'),
  });
  const logs = join(place.folder, 'logs');
  const result = await place.run(['--log-dir', logs, '--timestamps', 'talk.cwl']);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(readdirSync(logs).sort(), ['journal.jsonl', 'main.stderr']);
  assert.equal(readFileSync(join(logs, 'main.stderr'), 'utf8'), 'loud\n');
  assert.match(result.stderr, /^\d{4}-\d\d-\d\dT[\d:.]+Z \[main\] done$/m);
});

test('the inputs of a tool are told before and behind it', async () => {
  const place = makePlace();
  place.write({ 'tool.cwl': show });
  const before = await place.run(['--tool-help', 'tool.cwl']);
  assert.equal(before.code, 0, before.stderr);
  assert.match(before.stdout, /Usage: .*tool\.cwl/i);
  for (const option of ['--tool-help', '--help'])
    assert.equal((await place.run(['tool.cwl', option])).stdout, before.stdout);
});

test('relative paths start where --basedir says', async () => {
  const place = makePlace();
  mkdirSync(join(place.folder, 'data'));
  place.write({
    'data/a.txt': 'of the data\n',
    'cat.cwl':
      'cwlVersion: v1.2\nclass: CommandLineTool\ninputs: {f: {type: File, inputBinding: {}}}\noutputs: {o: stdout}\nbaseCommand: cat\nstdout: o.txt',
    'in.yml': 'f: {class: File, path: a.txt}',
  });
  for (const args of [['in.yml'], ['--f', 'a.txt']]) {
    const result = await place.run(['--basedir', 'data', 'cat.cwl', ...args]);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(readFileSync(join(place.outdir, 'o.txt'), 'utf8'), 'of the data\n');
  }
  assert.equal((await place.run(['cat.cwl', 'in.yml'])).code, 1);
});
