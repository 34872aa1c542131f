import * as vscode from 'vscode';
import { Failure } from '#base/failure.ts';
import type { Problem } from '#base/problem.ts';
import type { SourceFile } from '#remote/sources.ts';
import type { LanguageServer, ProcessKey } from './language-server.ts';
import { layOut, mapLocations } from './source-layout.ts';

/** What a run takes from this machine. */
export interface RunSources {
  files: SourceFile[];
  /** Path of the process below the source folder, with `#id` for one of a packed document. */
  tool: string;
  inputs: Record<string, unknown>;
}

/** The user's documents are at fault, and the editor shows where. */
export class DocumentsAtFault extends Failure {
  readonly problems: Problem[];

  constructor(problems: Problem[]) {
    const [first] = problems;
    const place = first
      ? `${vscode.workspace.asRelativePath(vscode.Uri.parse(first.uri))}:${first.range.start.line + 1}`
      : '';
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    super('extension/problems', `${place}: ${first?.message ?? ''}${more}`);
    this.problems = problems;
  }
}

/** The cluster reads no more of a folder than this, and neither is more sent there without the user's knowledge. */
const largestFolder = 10_000;

/** Collects documents and inputs; throws {@link DocumentsAtFault} where the run could not go well. */
export async function collectSources(
  server: LanguageServer,
  key: ProcessKey,
  inputs: vscode.Uri | undefined,
): Promise<RunSources> {
  const [needed, given] = await Promise.all([
    server.findDependencies(key, inputs),
    inputs ? server.checkInputs(key, inputs) : { problems: [], values: {} },
  ]);
  const errors = [...needed.problems, ...given.problems].filter(problem => problem.severity === 'error');
  if (errors.length > 0) throw new DocumentsAtFault(withoutRepeats(errors));

  const documents = needed.documents.filter(isFile);
  const files: string[] = [];
  const kept: string[] = [];
  for (const { uri, class: kind } of needed.files) {
    // What is not here is taken to be on the cluster, which says so if it is not.
    if (!isFile(uri) || !(await exists(uri))) continue;
    kept.push(uri);
    files.push(...(kind === 'Directory' ? await listFolder(vscode.Uri.parse(uri, true)) : [uri]));
  }
  const layout = layOut([...documents, ...kept, ...files]);
  const uris = [...new Set([...documents, ...files])];
  const tool = layout.find(key.uri.toString());
  if (tool === undefined) {
    throw new Failure('extension/no-process', `${key.uri.path} can't be run from where it is`, {
      hint: 'Save it to a file first.',
    });
  }
  return {
    files: uris.map(uri => ({ path: layout.find(uri) as string, content: contentOf(uri) })),
    tool: key.id === undefined ? tool : `${tool}#${key.id}`,
    inputs: mapLocations(given.values, layout) as Record<string, unknown>,
  };
}

/** What stands in an editor counts, saved or not. */
function contentOf(uri: string): SourceFile['content'] {
  const { fsPath } = vscode.Uri.parse(uri, true);
  const open = vscode.workspace.textDocuments.find(document => document.uri.fsPath === fsPath && document.isDirty);
  return open ? { bytes: new TextEncoder().encode(open.getText()) } : { file: fsPath };
}

async function listFolder(folder: vscode.Uri): Promise<string[]> {
  const found: string[] = [];
  const waiting = [folder];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    for (const [name, type] of await vscode.workspace.fs.readDirectory(at)) {
      const uri = vscode.Uri.joinPath(at, name);
      if (type & vscode.FileType.Directory) waiting.push(uri);
      else found.push(uri.toString());
    }
    if (found.length > largestFolder) {
      throw new Failure('extension/large-folder', `${folder.fsPath} holds more than ${largestFolder} files`, {
        hint: 'Copy it to the cluster, and give its path there as an input.',
      });
    }
  }
  return found;
}

function exists(uri: string): Promise<boolean> {
  return Promise.resolve(vscode.workspace.fs.stat(vscode.Uri.parse(uri, true))).then(
    () => true,
    () => false,
  );
}

function isFile(uri: string): boolean {
  return /^file:/i.test(uri);
}

function withoutRepeats(problems: Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(problem => {
    const name = JSON.stringify([problem.uri, problem.range, problem.message]);
    return !seen.has(name) && seen.add(name);
  });
}
