// The cache of results: what counts as the same work, and what does not (CWL v1.2, WorkReuse).
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makePlace, type Place } from './support-run.ts';

/** Writes a line into a file outside for each time that it really runs. */
const tool = (place: Place, more = '', script = 'cat $0; [ -e settings ] && cat settings; true') => `cwlVersion: v1.2
class: CommandLineTool
doc: What it is for
requirements:
  InlineJavascriptRequirement: {}
${more}baseCommand: [sh, -c, 'echo x >> ${place.folder}/count; ${script}']
inputs:
  file: {type: File, inputBinding: {position: 1}}
  level: {type: int, default: 1}
outputs:
  out: stdout
stdout: out.txt
`;

function open() {
  const place = makePlace();
  const count = () =>
    existsSync(join(place.folder, 'count')) ? readFileSync(join(place.folder, 'count'), 'utf8').length / 2 : 0;
  const run = async (...args: string[]) => {
    const result = await place.run(['--cache-dir', join(place.folder, 'cache'), ...args]);
    const text = result.outputs.out ? readFileSync(fileURLToPath(result.outputs.out.location), 'utf8') : undefined;
    return { ...result, text, count: count() };
  };
  return { place, run };
}

test('the same work is done once, wherever its files and documents lie', async () => {
  const { place, run } = open();
  place.write({
    'tool.cwl': tool(place),
    'a.txt': 'one\n',
    'elsewhere/tool.cwl': tool(place),
    'elsewhere/a.txt': 'one\n',
  });
  const first = await run('tool.cwl', '--file', 'a.txt');
  assert.deepEqual([first.code, first.text, first.count], [0, 'one\n', 1], first.stderr);
  const second = await run('elsewhere/tool.cwl', '--file', 'elsewhere/a.txt');
  assert.deepEqual([second.code, second.text, second.count], [0, 'one\n', 1], second.stderr);
  assert.equal(second.outputs.out.checksum, first.outputs.out.checksum);
  assert.match(second.stderr, /\[main\] done before/);
});

test('whatever changes the result makes it other work', async () => {
  const { place, run } = open();
  place.write({ 'a.txt': 'one\n', 'tool.cwl': tool(place) });
  let expected = 0;
  const isNew = async (what: string, ...args: string[]) => {
    const result = await run(...args);
    assert.equal(result.count, ++expected, `${what}: ${result.stderr}`);
    assert.equal((await run(...args)).count, expected, `${what}, again`);
    return result;
  };
  await isNew('the first', 'tool.cwl', '--file', 'a.txt');
  // Same size, and the time of before: only the contents tell.
  const { mtime } = statSync(join(place.folder, 'a.txt'));
  writeFileSync(join(place.folder, 'a.txt'), 'two\n');
  utimesSync(join(place.folder, 'a.txt'), mtime, mtime);
  assert.equal((await isNew('contents', 'tool.cwl', '--file', 'a.txt')).text, 'two\n');
  await isNew('an input that is on no command line', 'tool.cwl', '--file', 'a.txt', '--level', '2');
  place.write({ 'b.txt': 'two\n' });
  await isNew('the name of the file', 'tool.cwl', '--file', 'b.txt');
  const workDir = (text: string) =>
    tool(place, `  InitialWorkDirRequirement: {listing: [{entryname: settings, entry: "${text}"}]}\n`);
  place.write({ 'tool.cwl': workDir('deep') });
  assert.equal((await isNew('a file of the working directory', 'tool.cwl', '--file', 'a.txt')).text, 'two\ndeep');
  place.write({ 'tool.cwl': workDir('flat') });
  assert.equal((await isNew('its text', 'tool.cwl', '--file', 'a.txt')).text, 'two\nflat');
  place.write({ 'tool.cwl': tool(place, '  EnvVarRequirement: {envDef: {MODE: fast}}\n') });
  await isNew('the environment', 'tool.cwl', '--file', 'a.txt');
  place.write({ 'tool.cwl': tool(place).replace('stdout: out.txt', 'stdout: other.txt') });
  await isNew('the name of an output', 'tool.cwl', '--file', 'a.txt');
  place.write({ 'tool.cwl': tool(place).replace('doc: What', 'label: short\ndoc: Why') });
  assert.equal((await run('tool.cwl', '--file', 'a.txt')).count, expected, 'words for people do not matter');
});

test('what failed is done again, and so is what says so', async () => {
  const { place, run } = open();
  place.write({ 'a.txt': 'one\n', 'fail.cwl': tool(place, '', 'exit 3') });
  for (const count of [1, 2])
    assert.deepEqual(await run('fail.cwl', '--file', 'a.txt').then(r => [r.code, r.count]), [1, count]);
  place.write({ 'never.cwl': tool(place, '  WorkReuse: {enableReuse: $(inputs.level > 1)}\n') });
  for (const count of [3, 4]) assert.equal((await run('never.cwl', '--file', 'a.txt')).count, count);
  for (const count of [5, 5]) assert.equal((await run('never.cwl', '--file', 'a.txt', '--level', '2')).count, count);
});

test('nobody can spoil the cache, and what is spoilt is done anew', async () => {
  const { place, run } = open();
  place.write({ 'a.txt': 'one\n', 'tool.cwl': tool(place) });
  const first = await run('tool.cwl', '--file', 'a.txt');
  // The output is the user's own: changing it changes nothing else.
  writeFileSync(fileURLToPath(first.outputs.out.location), 'scribble\n');
  const second = await run('tool.cwl', '--file', 'a.txt');
  assert.deepEqual([second.text, second.count], ['one\n', 1]);
  assert.ok(statSync(fileURLToPath(second.outputs.out.location)).mode & 0o200, 'the user may write to an output');
  const kept = findFile(join(place.folder, 'cache/results'), 'out.txt') as string;
  chmodSync(kept, 0o600);
  writeFileSync(kept, 'spoilt by somebody\n');
  const third = await run('tool.cwl', '--file', 'a.txt');
  assert.deepEqual([third.text, third.count], ['one\n', 2]);
  rmSync(findFile(join(place.folder, 'cache/results'), 'result.json') as string);
  assert.deepEqual(await run('tool.cwl', '--file', 'a.txt').then(r => [r.text, r.count]), ['one\n', 3]);
});

test('steps with secondary files and directories are reused in a workflow, also by two runs at once', async () => {
  const { place, run } = open();
  place.write({
    'a.txt': 'one\n',
    'flow.cwl': `cwlVersion: v1.2
class: Workflow
inputs: {file: File}
outputs:
  out: {type: File, outputSource: read/out}
  made: {type: File, secondaryFiles: [.idx], outputSource: make/made}
  folder: {type: Directory, outputSource: make/folder}
steps:
  make:
    in: {file: file}
    out: [made, folder]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'echo x >> ${place.folder}/count; cp $0 made; echo i > made.idx; mkdir -p d/e; echo f > d/e/f']
      inputs: {file: {type: File, inputBinding: {}}}
      outputs:
        made: {type: File, secondaryFiles: [.idx], outputBinding: {glob: made}}
        folder: {type: Directory, outputBinding: {glob: d}}
  read:
    in: {made: make/made, folder: make/folder}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'echo x >> ${place.folder}/count; cat $0 $0.idx $1/e/f']
      inputs: {made: {type: File, secondaryFiles: [.idx], inputBinding: {position: 1}}, folder: {type: Directory, inputBinding: {position: 2}}}
      outputs: {out: stdout}
      stdout: out.txt
`,
  });
  const both = await Promise.all(
    [1, 2]
      .map(number => run('--outdir', `out-${number}`, 'flow.cwl', '--file', 'a.txt'))
      .map(each => each.catch(String)),
  );
  for (const each of both)
    assert.ok(typeof each === 'object' && each.code === 0 && each.text === 'one\ni\nf\n', JSON.stringify(each));
  const before = readFileSync(join(place.folder, 'count'), 'utf8').length / 2;
  const again = await run('flow.cwl', '--file', 'a.txt');
  assert.deepEqual([again.code, again.text, again.count], [0, 'one\ni\nf\n', before], again.stderr);
  assert.equal(readFileSync(join(fileURLToPath(again.outputs.folder.location), 'e/f'), 'utf8'), 'f\n');
  assert.equal(readFileSync(`${fileURLToPath(again.outputs.made.location)}.idx`, 'utf8'), 'i\n');
  const left = readdirSync(join(place.folder, 'cache')).filter(name => /^(new|old)-/.test(name));
  assert.deepEqual(left, []);
});

function findFile(folder: string, name: string): string | undefined {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith(`/${name}`))
    .map(path => join(folder, path))[0];
}
