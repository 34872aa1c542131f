// What a tool's description means, on the bare host: cases in which CWL runners were found to differ.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makePlace } from './support-run.ts';

const shell = (script: string, more: string) =>
  `cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sh, -c]\narguments: [${JSON.stringify(script)}]\n${more}`;

test('a glob passes by files where it asks for folders (CWL v1.2, CommandOutputBinding.glob)', async () => {
  const place = makePlace();
  const globs = '{o: {type: File, outputBinding: {glob: "*/c"}}, p: {type: File?, outputBinding: {glob: a/c}}}';
  place.write({ 't.cwl': shell('touch a; mkdir s; touch s/c', `inputs: []\noutputs: ${globs}`) });
  const result = await place.run(['t.cwl']);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.outputs.o.basename, 'c');
  assert.equal(result.outputs.p, null);
});

test('an optional list that nothing matches is null; what an expression gives is kept', async () => {
  const place = makePlace();
  place.write({
    't.cwl': shell(
      'true',
      `inputs: []
requirements: {InlineJavascriptRequirement: {}}
outputs:
  optional: {type: "File[]?", outputBinding: {glob: "*.txt"}}
  given: {type: "File[]?", outputBinding: {glob: "*.txt", outputEval: "$(self)"}}
  required: {type: "File[]", outputBinding: {glob: "*.txt"}}`,
    ),
  });
  const result = await place.run(['t.cwl']);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(result.outputs, { optional: null, given: [], required: [] });
});

test('a Directory that is only a listing goes into the working directory like any other', async () => {
  const place = makePlace();
  place.write({
    't.cwl': shell(
      'cat got/f $(inputs.d.path)/g got/s/h',
      `inputs: {d: Directory}
requirements: {InitialWorkDirRequirement: {listing: [{entryname: got, entry: $(inputs.d), writable: true}]}}
outputs: {o: {type: Directory, outputBinding: {glob: got}}, said: stdout}
stdout: said`,
    ),
    'f.txt': 'f\n',
    's/h': 'h\n',
    'in.yml': `d:
  class: Directory
  basename: made
  listing:
    - {class: File, path: f.txt, basename: f}
    - {class: File, basename: g, contents: "g\\n"}
    - {class: Directory, path: s}`,
  });
  const result = await place.run(['t.cwl', 'in.yml']);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(readFileSync(join(place.outdir, 'said'), 'utf8'), 'f\ng\nh\n');
  assert.deepEqual(readdirSync(join(place.outdir, 'got')), ['f', 'g', 's']);
});

test('exit codes mean what the lists say, and 0 is success where none names it', async () => {
  const place = makePlace();
  const tool = (codes: string) =>
    shell('exit $0', `inputs: {code: {type: int, inputBinding: {}}}\noutputs: []\n${codes}`);
  place.write({
    'lists.cwl': tool('successCodes: [3]\ntemporaryFailCodes: [4]\npermanentFailCodes: [3, 5]'),
    'zero.cwl': tool('permanentFailCodes: [0]'),
  });
  const cases: [string, number, RegExp | undefined][] = [
    ['lists.cwl', 3, undefined],
    ['lists.cwl', 0, undefined],
    ['lists.cwl', 4, /exit code 4, which the tool calls a temporary failure/],
    ['lists.cwl', 5, /exit code 5, which the tool calls a permanent failure/],
    ['lists.cwl', 6, /exit code 6\n/],
    ['zero.cwl', 0, /exit code 0, which the tool calls a permanent failure/],
  ];
  for (const [name, code, fault] of cases) {
    const result = await place.run([name, '--code', String(code)]);
    assert.equal(result.code === 0, fault === undefined, `${name} ${code}`);
    if (fault) assert.match(result.stderr, fault);
  }
});
