/** What the editor asks before it starts a run. */
import { findBeside } from '#cwl/beside.ts';
import { filesIn, findDockerFiles, findFiles, findImages } from '#cwl/dependencies.ts';
import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { loadProcess } from '#cwl/load.ts';
import type { Reader } from '#cwl/reader.ts';
import { makeInputsTemplate } from '#cwl/template.ts';
import type { Dependencies } from '#protocol/language.ts';

export async function makeTemplate({ uri, id }: { uri: string; id?: string }, reader: Reader) {
  const { process, problems } = await loadProcess(uri, { reader, id });
  return { text: process && makeInputsTemplate(process), problems };
}

export async function collectDependencies(
  { uri, id, inputs }: { uri: string; id?: string; inputs?: string },
  reader: Reader,
): Promise<Dependencies> {
  const loaded = await loadProcess(uri, { reader, id });
  let { process } = loaded;
  const files = process ? findFiles(process) : [];
  const problems = [...loaded.problems];
  if (inputs !== undefined) {
    const document = await loadInputs(inputs, { reader, namespaces: loaded.namespaces });
    files.push(...filesIn(document.values));
    problems.push(...document.problems);
    process &&= { ...process, requirements: [...process.requirements, ...document.requirements] };
  }
  const local = files.filter(file => file.uri.startsWith('file:'));
  const unique = [...new Map(local.map(file => [file.uri, file])).values()];
  const beside = process ? findBeside(process, unique) : { uris: [], families: [] };
  return {
    documents: loaded.documents,
    files: unique,
    beside: beside.uris,
    families: beside.families,
    images: process ? findImages(process) : [],
    dockerFiles: process ? findDockerFiles(process) : [],
    problems,
  };
}

export async function checkInputsOf({ uri, id, inputs }: { uri: string; id?: string; inputs: string }, reader: Reader) {
  const { process, namespaces, problems } = await loadProcess(uri, { reader, id });
  const document = await loadInputs(inputs, { reader, namespaces });
  const found = process ? checkInputs(document, process) : problems.filter(problem => problem.severity === 'error');
  return { problems: [...document.problems, ...found], values: document.values };
}
