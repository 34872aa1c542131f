// `run` on the bare host: the contract of cwl-runner, and what people see when something fails.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makePlace } from './support-run.ts';

const tool = (lines: string) => `cwlVersion: v1.2\nclass: CommandLineTool\n${lines}`;
const shell = (script: string, more = '') =>
  tool(`baseCommand: [sh, -c]\narguments: [${JSON.stringify(script)}]\n${more}`);

test('the output object is on stdout and nothing else, and nothing is left but the outputs', async () => {
  const place = makePlace();
  place.write({
    'echo.cwl': tool(
      'baseCommand: echo\ninputs: {message: {type: string, inputBinding: {}}}\noutputs: {out: stdout}\nstdout: said.txt',
    ),
    'in.yml': 'message: hi\n',
  });
  const result = await place.run(['echo.cwl', 'in.yml']);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(result.outputs.out, {
    class: 'File',
    location: `file://${place.outdir}/said.txt`,
    basename: 'said.txt',
    nameroot: 'said',
    nameext: '.txt',
    size: 3,
    checksum: 'sha1$55ca6286e3e4f4fba5d0448333fa99fc5a404a73',
  });
  assert.deepEqual(readdirSync(place.outdir), ['said.txt']);
  assert.deepEqual(readdirSync(join(place.home, 'runs')), []);
  assert.match(result.stderr, /\[main\] running: echo hi/);
  const quiet = await place.run(['--quiet', 'echo.cwl', '--message', 'again']);
  assert.equal(quiet.stderr, '');
  assert.equal(readFileSync(join(place.outdir, 'said.txt'), 'utf8'), 'again\n');
});

test('a failure tells the step, the command, what the tool said and where its files are', async () => {
  const place = makePlace();
  place.write({
    'fail.cwl': shell('echo working; echo reason >&2; exit 7', 'inputs: []\noutputs: []'),
    'ok.cwl': shell('sleep 0.2; echo fine', 'inputs: []\noutputs: {o: stdout}'),
    'after.cwl': tool('baseCommand: "true"\ninputs: {x: Any?}\noutputs: []'),
    'wf.cwl': `cwlVersion: v1.2
class: Workflow
inputs: []
outputs: []
steps:
  bad: {run: fail.cwl, in: [], out: []}
  good: {run: ok.cwl, in: [], out: [o]}
  next: {run: after.cwl, in: {x: good/o}, out: []}`,
  });
  const result = await place.run(['wf.cwl']);
  assert.equal(result.code, 1);
  assert.equal(result.stdout, '');
  assert.match(
    result.stderr,
    /bad: it ended with exit code 7\n {2}command: sh -c 'echo working.*'\n {2}the end of its standard error:\n {4}reason\n {2}files: (\S+)/,
  );
  assert.match(result.stderr, /\[next\] done/, 'what does not depend on it goes on');
  const folder = /files: (\S+)/.exec(result.stderr)?.[1] as string;
  assert.equal(readFileSync(join(folder, 'stdout'), 'utf8'), 'working\n');
  assert.equal(existsSync(place.outdir) && readdirSync(place.outdir).length > 0, false);
});

test('--on-error stop starts nothing more', async () => {
  const place = makePlace();
  place.write({
    'fail.cwl': tool('baseCommand: "false"\ninputs: []\noutputs: []'),
    'ok.cwl': shell('sleep 0.3', 'inputs: []\noutputs: {o: stdout}'),
    'after.cwl': tool('baseCommand: "true"\ninputs: {x: Any?}\noutputs: []'),
    'wf.cwl': `cwlVersion: v1.2
class: Workflow
inputs: []
outputs: []
steps:
  bad: {run: fail.cwl, in: [], out: []}
  good: {run: ok.cwl, in: [], out: [o]}
  next: {run: after.cwl, in: {x: good/o}, out: []}`,
  });
  const result = await place.run(['--on-error', 'stop', 'wf.cwl']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /\[good\] done/);
  assert.doesNotMatch(result.stderr, /\[next\]/);
});

test('what is required and not offered exits with 33; faults of a document name their place', async () => {
  const place = makePlace();
  place.write({
    'docker.cwl': tool(
      'requirements: {DockerRequirement: {dockerPull: alpine}}\nbaseCommand: echo\ninputs: []\noutputs: []',
    ),
    'wrong.cwl': tool('baseCommand: echo\ninputs: []\noutputs: []\nstdotu: x'),
    'js.cwl': tool(
      'requirements:\n  InlineJavascriptRequirement: {}\nbaseCommand: echo\narguments: ["$(inputs.a.b.c())"]\ninputs: {a: Any?}\noutputs: []',
    ),
    'missing.cwl': tool('baseCommand: cat\ninputs: {f: {type: File, inputBinding: {}}}\noutputs: []'),
  });
  assert.equal((await place.run(['docker.cwl'])).code, 33);
  const wrong = await place.run(['wrong.cwl']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^wrong\.cwl:6:1: .*stdotu/);
  const js = await place.run(['js.cwl']);
  assert.match(js.stderr, /js\.cwl:6:13: \$\(inputs\.a\.b\.c\(\)\): TypeError/);
  const missing = await place.run(['missing.cwl', '--f', 'nowhere.txt']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, new RegExp(`input f: there is no file ${place.folder}/nowhere.txt`));
  const absent = await place.run(['missing.cwl']);
  assert.match(absent.stderr, /missing\.cwl:4:10: input f: expected File, got nothing/);
});

test('the environment is made from nothing', async () => {
  const place = makePlace();
  place.write({
    'env.cwl': tool(
      'requirements: {EnvVarRequirement: {envDef: {OWN: $(inputs.v)}}}\nbaseCommand: env\ninputs: {v: string}\noutputs: {o: stdout}\nstdout: env.txt',
    ),
  });
  const result = await place.run(['env.cwl', '--v', 'x=y']);
  assert.equal(result.code, 0, result.stderr);
  const names = readFileSync(join(place.outdir, 'env.txt'), 'utf8')
    .trim()
    .split('\n')
    .map(line => line.split('=')[0]);
  assert.deepEqual(names.sort(), ['HOME', 'OWN', 'PATH', 'TMPDIR']);
});

test('scattered outputs of one name are all kept', async () => {
  const place = makePlace();
  place.write({
    'one.cwl': shell(
      'echo $0 > same.txt; echo i > same.txt.idx',
      'inputs: {v: {type: string, inputBinding: {}}}\noutputs: {o: {type: File, secondaryFiles: [.idx], outputBinding: {glob: same.txt}}}',
    ),
    'wf.cwl': `cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {vs: "string[]"}
outputs: {all: {type: "File[]", outputSource: s/o}}
steps: {s: {run: one.cwl, scatter: v, in: {v: vs}, out: [o]}}`,
  });
  const result = await place.run(['wf.cwl', '--vs', 'a', '--vs', 'b', '--vs', 'c']);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(readdirSync(place.outdir), [
    'same.txt',
    'same.txt.idx',
    'same_2.txt',
    'same_2.txt.idx',
    'same_3.txt',
    'same_3.txt.idx',
  ]);
  const texts = result.outputs.all.map((each: { location: string }) => readFileSync(new URL(each.location), 'utf8'));
  assert.deepEqual(texts, ['a\n', 'b\n', 'c\n']);
});

test('a loop runs its step until when is false (CWL v1.3 development)', async () => {
  const place = makePlace();
  const workflow = (method: string, type: string) => `cwlVersion: v1.3.0-dev1
class: Workflow
requirements: {InlineJavascriptRequirement: {}}
inputs: {start: int, end: int}
outputs: {o: {type: "${type}", outputSource: s/o}}
steps:
  s:
    run:
      class: ExpressionTool
      inputs: {i: int}
      outputs: {o: int}
      expression: '$({"o": inputs.i + 2})'
    in: {i: start, end: end}
    out: [o]
    when: $(inputs.i < inputs.end)
    loop: {i: o}
    outputMethod: ${method}
`;
  place.write({ 'last.cwl': workflow('last_iteration', 'int?'), 'all.cwl': workflow('all_iterations', 'int[]') });
  const run = (name: string, start: string) => place.run(['--enable-dev', name, '--start', start, '--end', '5']);
  const last = await run('last.cwl', '0');
  assert.equal(last.code, 0, last.stderr);
  assert.deepEqual(last.outputs, { o: 6 });
  assert.deepEqual((await run('all.cwl', '0')).outputs, { o: [2, 4, 6] });
  assert.deepEqual((await run('all.cwl', '9')).outputs, { o: [] });
  assert.deepEqual((await run('last.cwl', '9')).outputs, { o: null });
});

test('a tool that changes an input has failed, and links out of the outputs are refused', async () => {
  const place = makePlace();
  const inputs = 'inputs: {f: {type: File, inputBinding: {}}}\n';
  place.write({
    'data.txt': 'precious\n',
    'change.cwl': shell('echo more >> $0', `${inputs}outputs: []`),
    'leak.cwl': shell(
      'ln -s /etc/passwd out.txt',
      'inputs: []\noutputs: {o: {type: File, outputBinding: {glob: out.txt}}}',
    ),
    'inner.cwl': shell(
      'ln -s $0 out.txt; mkdir d; ln -s $HOME/out.txt d/l',
      `${inputs}outputs: {o: {type: File, outputBinding: {glob: out.txt}}, d: {type: Directory, outputBinding: {glob: d}}}`,
    ),
  });
  const changed = await place.run(['change.cwl', '--f', 'data.txt']);
  assert.equal(changed.code, 1);
  assert.match(changed.stderr, /main: it changed its inputs, which it may only read: \S+\/data\.txt/);
  const leak = await place.run(['leak.cwl']);
  assert.equal(leak.code, 1);
  assert.match(leak.stderr, /out\.txt leads to \/etc\/passwd, which is neither an output nor an input/);
  place.write({ 'data.txt': 'precious\n' });
  const inner = await place.run(['inner.cwl', '--f', 'data.txt']);
  assert.equal(inner.code, 0, inner.stderr);
  assert.equal(readFileSync(join(place.outdir, 'out.txt'), 'utf8'), 'precious\n');
  assert.equal(readFileSync(join(place.outdir, 'd', 'l'), 'utf8'), 'precious\n');
  assert.equal(readFileSync(join(place.folder, 'data.txt'), 'utf8'), 'precious\n', 'the input was not moved away');
});

test('a time limit ends a tool and its children', async () => {
  const place = makePlace();
  place.write({
    'slow.cwl': tool(
      'requirements: {ToolTimeLimit: {timelimit: 1}}\nbaseCommand: [sh, -c, "sleep 77.7 & wait"]\ninputs: []\noutputs: []',
    ),
  });
  const started = Date.now();
  const result = await place.run(['slow.cwl']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /ran longer than its ToolTimeLimit/);
  assert.ok(Date.now() - started < 8000);
  const running = readdirSync('/proc').some(pid => /^\d+$/.test(pid) && readCommand(pid) === 'sleep\0' + '77.7\0');
  assert.equal(running, false);
});

test('an input object can name its tool, and add requirements', async () => {
  const place = makePlace();
  place.write({
    'env.cwl': tool('baseCommand: [sh, -c, "echo $NAME"]\ninputs: []\noutputs: {o: stdout}\nstdout: o.txt'),
    'job.yml':
      '#!/usr/bin/env cwl-runner\ncwl:tool: env.cwl\ncwl:requirements:\n  - class: EnvVarRequirement\n    envDef: {NAME: told}\n',
  });
  const result = await place.run(['job.yml']);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(readFileSync(join(place.outdir, 'o.txt'), 'utf8'), 'told\n');
  assert.match((await place.run(['--tool-help', 'env.cwl'])).stdout, /^Usage: run env\.cwl/);
});

function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
