// The language server as the editor starts it: a process that speaks the Language Server Protocol on stdio.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { checkInputs, findDependencies, listProcesses, makeInputsTemplate, readFile } from '#protocol/language.ts';

interface Published {
  uri: string;
  diagnostics: { code: string; message: string; range: { start: { line: number; character: number } } }[];
}

/** What is on the disk, as the editor would read it. */
const disk = new Map<string, string>();
const tool = 'file:///work%20space/tool.cwl';
const workflow = 'file:///work%20space/workflow.cwl';
const toolText = `cwlVersion: v1.2
class: CommandLineTool
baseCommand: cat
inputs:
  text: {type: File, inputBinding: {}}
outputs:
  out: stdout
`;
const workflowText = `cwlVersion: v1.2
class: Workflow
inputs:
  first: File
outputs:
  last: {type: File, outputSource: show/out}
steps:
  show:
    run: tool.cwl
    in: {text: first}
    out: [out]
`;
let server: ChildProcess;
let connection: MessageConnection;
const published: Published[] = [];
const waiting: { test: (each: Published) => boolean; resolve: (each: Published) => void }[] = [];

before(async () => {
  server = spawn(process.execPath, ['src/language/main.ts', '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
  connection = createMessageConnection(
    new StreamMessageReader(server.stdout as NodeJS.ReadableStream),
    new StreamMessageWriter(server.stdin as NodeJS.WritableStream),
  );
  connection.onNotification('textDocument/publishDiagnostics', (message: Published) => {
    published.push(message);
    for (const each of waiting.filter(({ test }) => test(message))) each.resolve(message);
  });
  connection.onRequest(readFile, ({ uri }) => {
    const text = disk.get(uri);
    if (text === undefined) throw new Error('no such file');
    return { text };
  });
  connection.listen();
  const { capabilities } = await connection.sendRequest<{ capabilities: { textDocumentSync: unknown } }>('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: {},
  });
  assert.equal(capabilities.textDocumentSync, 2);
  await connection.sendNotification('initialized', {});
});
after(() => {
  connection.dispose();
  server.kill();
});

test('problems follow what is typed, and unsaved editors win over the disk', async () => {
  disk.set(tool, toolText);
  const clean = next(each => each.uri === workflow);
  await open(workflow, workflowText);
  assert.deepEqual((await clean).diagnostics, []);

  // The tool's input is renamed in an editor that is not saved: the workflow that uses it is wrong now.
  const broken = next(each => each.uri === workflow && each.diagnostics.length > 0);
  await open(tool, toolText.replace('  text:', '  words:'));
  const { diagnostics } = await broken;
  assert.deepEqual(
    diagnostics.map(each => [each.code, each.range.start.line]),
    [
      ['cwl/missing-step-input', 9],
      ['cwl/unused-input', 9],
    ],
  );

  const healed = next(each => each.uri === workflow && each.diagnostics.length === 0);
  await connection.sendNotification('textDocument/didChange', {
    textDocument: { uri: tool, version: 2 },
    contentChanges: [{ range: rangeOf(4, 2, 4, 7), text: 'text' }],
  });
  await healed;
});

test('a document that is closed has no problems any more', async () => {
  const uri = 'file:///work%20space/wrong.cwl';
  const wrong = next(each => each.uri === uri && each.diagnostics.length > 0);
  await open(uri, 'cwlVersion: v1.2\nclass: Workflw\n');
  assert.match((await wrong).diagnostics[0]?.message ?? '', /Did you mean Workflow\?/);
  const gone = next(each => each.uri === uri && each.diagnostics.length === 0);
  await connection.sendNotification('textDocument/didClose', { textDocument: { uri } });
  await gone;
});

test('definition, hover and completion answer at a position', async () => {
  const at = (line: number, character: number) => ({ textDocument: { uri: workflow }, position: { line, character } });
  const run = await connection.sendRequest<{ uri: string }>('textDocument/definition', at(8, 12));
  assert.equal(run.uri, tool);
  const hover = await connection.sendRequest<{ contents: { value: string } }>('textDocument/hover', at(5, 24));
  assert.match(hover.contents.value, /\*\*outputSource\*\*/);
  const items = await connection.sendRequest<{ label: string }[]>('textDocument/completion', at(9, 15));
  assert.deepEqual(
    items.map(item => item.label),
    ['first', 'show/out'],
  );
});

test('the editor is told what can be run and what it needs', async () => {
  const inputs = 'file:///work%20space/job.yml';
  disk.set(inputs, 'first: {class: File, path: data/a b.txt}\n');
  const { processes } = await connection.sendRequest(listProcesses, { uri: workflow });
  assert.deepEqual(processes, [{ name: 'workflow.cwl', class: 'Workflow', range: rangeOf(0, 0, 0, 16) }]);
  const template = await connection.sendRequest(makeInputsTemplate, { uri: workflow });
  assert.match(template.text ?? '', /^first:\n {2}class: File$/m);
  const needs = await connection.sendRequest(findDependencies, { uri: workflow, inputs });
  assert.deepEqual(needs.documents, [workflow, tool]);
  assert.deepEqual(needs.files, [{ uri: 'file:///work%20space/data/a%20b.txt', class: 'File' }]);
  const checked = await connection.sendRequest(checkInputs, { uri: workflow, inputs });
  assert.deepEqual(checked.problems, []);
  // What has changed on the disk is read again.
  disk.set(inputs, 'frist: 1\n');
  const bad = await connection.sendRequest(checkInputs, { uri: workflow, inputs });
  assert.deepEqual(
    bad.problems.map(problem => problem.code),
    ['cwl/missing-input', 'cwl/unknown-input'],
  );
});

test('a file that the editor can not read is a problem at its reference', async () => {
  const uri = 'file:///work%20space/lost.cwl';
  const lost = next(each => each.uri === uri && each.diagnostics.length > 0);
  await open(uri, workflowText.replace('tool.cwl', 'nowhere.cwl'));
  const [problem] = (await lost).diagnostics;
  assert.equal(problem?.code, 'cwl/not-found');
  assert.equal(problem?.range.start.line, 8);

  const found = next(each => each.uri === uri && each.diagnostics.length === 0);
  await open('file:///work%20space/nowhere.cwl', toolText);
  await found;
});

async function open(uri: string, text: string): Promise<void> {
  await connection.sendNotification('textDocument/didOpen', {
    textDocument: { uri, languageId: 'cwl', version: 1, text },
  });
}

function next(test: (each: Published) => boolean): Promise<Published> {
  return new Promise(resolve => waiting.push({ test, resolve }));
}

function rangeOf(line: number, character: number, endLine: number, endCharacter: number) {
  return { start: { line, character }, end: { line: endLine, character: endCharacter } };
}
