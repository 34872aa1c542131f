// Runs inside the extension host of a VS Code: `run` is what it calls, and what is thrown is the verdict.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';

const extensionId = 'cwl-on-clusters.cwl-on-clusters';

const tests: Record<string, () => Promise<void>> = {
  'a CWL document is known as one, and wakes the extension': async () => {
    const document = await open('broken.cwl');
    assert.equal(document.languageId, 'cwl');
    await until(() => vscode.extensions.getExtension(extensionId)?.isActive === true);
  },

  'every command that the manifest names is there': async () => {
    const manifest = vscode.extensions.getExtension(extensionId)?.packageJSON as Manifest;
    const known = new Set(await vscode.commands.getCommands(true));
    const missing = manifest.contributes.commands.map(each => each.command).filter(name => !known.has(name));
    assert.deepEqual(missing, []);
  },

  'a fault in a document is a diagnostic with its place': async () => {
    const { uri } = await open('broken.cwl');
    await until(() => vscode.languages.getDiagnostics(uri).length > 0);
    const [diagnostic] = vscode.languages.getDiagnostics(uri);
    assert.match(diagnostic?.message ?? '', /baseCommand/);
    assert.deepEqual([diagnostic?.range.start.line, diagnostic?.range.start.character], [4, 0]);
    assert.equal(diagnostic?.severity, vscode.DiagnosticSeverity.Error);
  },

  'a lens above the process runs it on the cluster that is chosen': async () => {
    const { uri } = await open('flow.cwl');
    const titles = async () => {
      const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri);
      return lenses.map(lens => lens.command?.title ?? '');
    };
    await until(async () => (await titles()).some(title => title.includes('Run on Cluster…')));
    await settings().update('clusters', clusters, vscode.ConfigurationTarget.Global);
    await settings().update('defaultCluster', 'second', vscode.ConfigurationTarget.Global);
    await until(async () => (await titles()).some(title => title.includes('Run on second')));
  },

  'a template of the inputs becomes a file beside the document': async () => {
    await open('flow.cwl');
    await vscode.commands.executeCommand('cwl.createInputs');
    const document = vscode.window.activeTextEditor?.document;
    assert.equal(document?.uri.path.split('/').pop(), 'flow-inputs.yml');
    assert.match(document?.getText() ?? '', /^words:/m);
  },

  'files of a cluster without a connection are unavailable, and nobody is asked': async () => {
    const uri = vscode.Uri.parse('cwl-run://first/home/me/a.txt');
    await assert.rejects(async () => vscode.workspace.fs.readFile(uri), /Unavailable/);
    assert.equal(vscode.workspace.fs.isWritableFileSystem('cwl-run'), false);
  },

  'completion knows the fields of the process': async () => {
    const { uri } = await open('flow.cwl');
    const list = await vscode.commands.executeCommand<vscode.CompletionList>(
      'vscode.executeCompletionItemProvider',
      uri,
      new vscode.Position(25, 0),
    );
    const labels = list.items.map(item => (typeof item.label === 'string' ? item.label : item.label.label));
    assert.ok(labels.includes('hints'), labels.join(' '));
  },
};

/** Nobody listens on the port of the first, and the second has no such name. */
const clusters = [
  { name: 'first', host: 'nobody@127.0.0.1:9' },
  { name: 'second', host: 'nobody@no-such-host.invalid' },
];

export async function run(): Promise<void> {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok ${name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
  if (failed > 0) throw new Error(`${failed} tests failed`);
}

interface Manifest {
  contributes: { commands: { command: string }[] };
}

async function open(name: string): Promise<vscode.TextDocument> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri as vscode.Uri;
  const document = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder, name));
  await vscode.window.showTextDocument(document);
  return document;
}

function settings(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('cwl');
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await isSo()) return;
    await sleep(100);
  }
  assert.fail(`${isSo} did not come true within 20 s`);
}
