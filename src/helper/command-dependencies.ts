import { filesIn, findDockerFiles, findFiles, findImages } from '#cwl/dependencies.ts';
import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { loadProcess } from '#cwl/load.ts';
import type { Process } from '#cwl/model.ts';
import { toLocalPath } from '#cwl/uri.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { fileReader } from './file-reader.ts';

/**
 * `dependencies [--json] TOOL [INPUTS]`: all that has to be there for a run: documents, files and folders that they or
 * the inputs name, and images; one `KIND WHAT` a line, or with `--json` an object of lists by kind.
 */
export const dependencies: HelperCommand = async ({ args, stdout, stderr }) => {
  const isJson = args.includes('--json');
  const [tool, inputs, ...rest] = args.filter(argument => argument !== '--json');
  if (tool === undefined || rest.length > 0 || args.some(each => each.startsWith('-') && each !== '--json'))
    throw usageFailure('dependencies takes a document, and perhaps an input object');
  const reader = fileReader;
  const { process, problems, documents, namespaces } = await loadProcess(toDocumentUri(tool), { reader });
  const wrong = problems.filter(problem => problem.severity === 'error');
  const files = process ? findFiles(process) : [];
  if (inputs !== undefined && process) {
    const document = await loadInputs(toDocumentUri(inputs), { reader, namespaces, version: process.cwlVersion });
    documents.push(...document.documents);
    files.push(...filesIn(document.values));
    const found = [...document.problems, ...checkInputs(document, process)];
    wrong.push(...found.filter(problem => problem.severity === 'error'));
  }
  stderr(formatProblems(wrong));
  if (!process || wrong.length > 0) return 1;
  const show = (uris: string[]) => [...new Set(uris.map(uri => toLocalPath(uri) ?? uri))];
  const kinds = {
    document: show(documents),
    file: show(files.flatMap(file => (file.class === 'File' ? file.uri : []))),
    directory: show(files.flatMap(file => (file.class === 'Directory' ? file.uri : []))),
    image: [...new Set([...findImages(process), ...(await findBases(process))])],
  };
  if (isJson) stdout(`${JSON.stringify(kinds, null, 2)}\n`);
  else for (const [kind, names] of Object.entries(kinds)) for (const name of names) stdout(`${kind} ${name}\n`);
  return 0;
};

/** The images that Dockerfiles in the document start from. */
async function findBases(process: Process): Promise<string[]> {
  const texts = findDockerFiles(process);
  if (texts.length === 0) return [];
  const { findBaseImages } = await import('#image/build-globals.ts');
  return texts.flatMap(findBaseImages);
}
