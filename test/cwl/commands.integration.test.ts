// validate, inputs and graph as programs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

const helper = resolve('src/helper/main.ts');
const tool =
  'cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: cat\ninputs: {text: File}\noutputs: {out: stdout}\n';
const workflow = (run: string) =>
  `cwlVersion: v1.2\nclass: Workflow\ninputs: {f: File}\noutputs: {o: {type: File, outputSource: s/out}}\nsteps:\n  s: {run: "${run}", in: {text: f}, out: [out]}\n`;
let folder: string;
let server: Server;
let origin: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cwl-commands-'));
  mkdirSync(join(folder, 'sub'));
  for (const [name, text] of Object.entries({
    'tool.cwl': tool,
    'odd #1.cwl': tool,
    'workflow.cwl': workflow('sub/../tool.cwl'),
    'broken.cwl': tool.replace('baseCommand', 'baseComand').replace('File', 'Fil'),
    'job.yml': 'txet: 1\n',
    'sub/packed.cwl': `cwlVersion: v1.2\n$graph:\n- ${tool.replace('cwlVersion: v1.2\n', 'id: t\n').trim().replaceAll('\n', '\n  ')}\n`,
  })) {
    writeFileSync(join(folder, name), text);
  }
  server = createServer((request, response) => {
    response.statusCode = request.url === '/tool.cwl' ? 200 : 404;
    response.end(request.url === '/tool.cwl' ? tool : 'no');
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

test('validate says nothing of a valid document and exits with 0', async () => {
  for (const name of ['tool.cwl', 'workflow.cwl', 'odd #1.cwl', 'sub/packed.cwl', 'sub/packed.cwl#t']) {
    assert.deepEqual(await run('validate', name), { code: 0, stdout: '', stderr: `${name} is valid CWL\n` });
  }
});

test('--strict makes errors of warnings, and --lenient warnings of unknown fields', async () => {
  const lenient = await run('validate', '--lenient', 'broken.cwl');
  assert.match(lenient.stdout, /:3:1: warning: A CommandLineTool has no field baseComand/);
  assert.match(lenient.stderr, /has 1 error$/m);
  const strict = await run('validate', '--strict', 'broken.cwl');
  assert.match(strict.stderr, /has 3 errors$/m);
});

test('dependencies lists documents, files and images, those of the inputs too', async () => {
  writeFileSync(
    join(folder, 'needs.cwl'),
    workflow('tool.cwl').replace('steps:', 'hints: {DockerRequirement: {dockerPull: "alpine:3"}}\nsteps:'),
  );
  writeFileSync(join(folder, 'needs.yml'), 'f: {class: File, path: sub/packed.cwl}\n');
  assert.deepEqual(await run('dependencies', 'needs.cwl', 'needs.yml'), {
    code: 0,
    stdout: `document ${folder}/needs.cwl\ndocument ${folder}/tool.cwl\ndocument ${folder}/needs.yml\nfile ${folder}/sub/packed.cwl\nimage alpine:3\n`,
    stderr: '',
  });
  const json = JSON.parse((await run('dependencies', '--json', 'tool.cwl')).stdout);
  assert.deepEqual(json, { document: [`${folder}/tool.cwl`], file: [], directory: [], image: [] });
  assert.equal((await run('dependencies', 'broken.cwl')).code, 1);
});

test('validate tells every problem with its place, for compilers and people, and exits with 1', async () => {
  assert.deepEqual(await run('validate', 'broken.cwl'), {
    code: 1,
    stdout: `broken.cwl:2:8: warning: Nothing says what to run: there is neither a baseCommand nor an argument nor an inputBinding.
broken.cwl:3:1: A CommandLineTool has no field baseComand. Did you mean baseCommand?
broken.cwl:4:16: There is no type Fil. Did you mean File?
`,
    stderr: 'broken.cwl has 2 errors\n',
  });
});

test('validate checks inputs too', async () => {
  const { code, stdout } = await run('validate', 'tool.cwl', 'job.yml');
  assert.equal(code, 1);
  assert.match(stdout, /^job\.yml:1:1: The input text is missing: it takes File\.$/m);
  assert.match(stdout, /^job\.yml:1:1: warning: tool\.cwl has no input txet; it is left out\. Did you mean text\?$/m);
});

test('documents may come from the web', async () => {
  writeFileSync(join(folder, 'web.cwl'), workflow(`${origin}/tool.cwl`));
  assert.equal((await run('validate', 'web.cwl')).code, 0);
  writeFileSync(join(folder, 'lost.cwl'), workflow(`${origin}/lost.cwl`));
  assert.match(
    (await run('validate', 'lost.cwl')).stdout,
    /^lost\.cwl:6:12: http:.*\/lost\.cwl: the server answered 404\.$/m,
  );
});

test('what is no file is one problem', async () => {
  for (const [name, reason] of [
    ['lost.cwl2', 'does not exist'],
    ['sub', 'is not a file'],
  ] as const) {
    const { code, stdout } = await run('validate', name);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^${name}:1:1: .*/${name} ${reason}\\.\n$`));
  }
});

test('inputs prints a template, graph prints DOT', async () => {
  const template = await run('inputs', 'tool.cwl');
  assert.deepEqual(
    [template.code, template.stdout],
    [0, '# Inputs of tool.cwl\n\n# File\ntext:\n  class: File\n  path: path/to/file\n'],
  );
  const graph = await run('graph', 'workflow.cwl');
  assert.equal(graph.code, 0);
  assert.match(graph.stdout, /^digraph workflow \{\n[\s\S]*"in\/f" -> "s";\n[\s\S]*\}\n$/);
  for (const command of ['inputs', 'graph']) {
    const { code, stdout, stderr } = await run(command, 'broken.cwl');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^broken\.cwl:3:1: A CommandLineTool has no field baseComand/);
  }
});

test('a wrong command line is told as such', async () => {
  for (const args of [['validate'], ['validate', '--fast', 'tool.cwl'], ['inputs'], ['graph', 'a', 'b']]) {
    assert.equal((await run(...args)).code, 2, args.join(' '));
  }
});

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [helper, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', code => done({ code, stdout, stderr }));
  });
}
