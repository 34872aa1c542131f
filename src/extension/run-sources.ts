import * as vscode from 'vscode';
import { Failure } from '#base/failure.ts';
import type { Problem } from '#base/problem.ts';
import type { SourceFile } from '#remote/sources.ts';
import type { LanguageServer, ProcessKey } from './language-server.ts';
import { layOut, mapLocations } from './source-layout.ts';

/** What a run takes from this machine. */
export interface RunSources {
  files: SourceFile[];
  /** Folders below the source folder that hold no file. */
  folders: string[];
  /** Path of the process below the source folder, with `#id` for one of a packed document. */
  tool: string;
  inputs: Record<string, unknown>;
  /** Names of images, and texts of Dockerfiles, that the process may need. */
  images: string[];
  dockerFiles: string[];
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
  const empty: string[] = [];
  const keepFolder = async (uri: string) => {
    const found = await listFolder(vscode.Uri.parse(uri, true));
    files.push(...found.files);
    empty.push(...found.empty);
  };
  for (const { uri, class: kind } of needed.files) {
    // What is not here is taken to be on the cluster, which says so if it is not.
    if (!isFile(uri) || !(await findType(uri))) continue;
    kept.push(uri);
    if (kind === 'Directory') await keepFolder(uri);
    else files.push(uri);
  }
  const families = await Promise.all(needed.families.filter(uri => kept.includes(uri)).map(listFamily));
  for (const uri of new Set([...needed.beside, ...families.flat()])) {
    const type = await findType(uri);
    if (!type) continue;
    kept.push(uri);
    if (type & vscode.FileType.Directory) await keepFolder(uri);
    else files.push(uri);
  }
  const layout = layOut([...documents, ...kept, ...files, ...empty]);
  const uris = [...new Set([...documents, ...files])];
  const tool = layout.find(key.uri.toString());
  if (tool === undefined) {
    throw new Failure('extension/no-process', `${key.uri.path} can't be run from where it is`, {
      hint: 'Save it to a file first.',
    });
  }
  return {
    files: uris.map(uri => ({ path: layout.find(uri) as string, content: contentOf(uri) })),
    folders: [...new Set(empty)].map(uri => layout.find(uri) as string),
    tool: key.id === undefined ? tool : `${tool}#${key.id}`,
    inputs: mapLocations(given.values, layout) as Record<string, unknown>,
    images: needed.images,
    dockerFiles: needed.dockerFiles,
  };
}

/** What stands in an editor counts, saved or not. */
function contentOf(uri: string): SourceFile['content'] {
  const { fsPath } = vscode.Uri.parse(uri, true);
  const open = vscode.workspace.textDocuments.find(document => document.uri.fsPath === fsPath && document.isDirty);
  return open ? { bytes: new TextEncoder().encode(open.getText()) } : { file: fsPath };
}

async function listFolder(folder: vscode.Uri): Promise<{ files: string[]; empty: string[] }> {
  const files: string[] = [];
  const empty: string[] = [];
  const waiting = [folder];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    const entries = await vscode.workspace.fs.readDirectory(at);
    if (entries.length === 0) empty.push(at.toString());
    for (const [name, type] of entries) {
      const uri = vscode.Uri.joinPath(at, name);
      if (type & vscode.FileType.Directory) waiting.push(uri);
      else files.push(uri.toString());
    }
    if (files.length > largestFolder) {
      throw new Failure('extension/large-folder', `${folder.fsPath} holds more than ${largestFolder} files`, {
        hint: 'Copy it to the cluster, and give its path there as an input.',
      });
    }
  }
  return { files, empty };
}

/** The neighbours of a file that begin with its name, less the extension. */
async function listFamily(uri: string): Promise<string[]> {
  const file = vscode.Uri.parse(uri, true);
  const folder = vscode.Uri.joinPath(file, '..');
  const stem = basenameOf(file.path).replace(/(?<=.)\.[^.]*$/, '');
  const entries = await vscode.workspace.fs.readDirectory(folder);
  const names = entries.map(([name]) => name).filter(name => name.startsWith(stem));
  return names.map(name => vscode.Uri.joinPath(folder, name).toString());
}

function basenameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Undefined for what does not exist. */
function findType(uri: string): Promise<vscode.FileType | undefined> {
  return Promise.resolve(vscode.workspace.fs.stat(vscode.Uri.parse(uri, true))).then(
    ({ type }) => type,
    () => undefined,
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
