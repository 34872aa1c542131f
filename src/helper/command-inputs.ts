import { loadProcess } from '#cwl/load.ts';
import { makeInputsTemplate } from '#cwl/template.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { fileReader } from './file-reader.ts';

/** `inputs TOOL`: a template of the input object on stdout; problems of the document on stderr. */
export const inputs: HelperCommand = async ({ args, stdout, stderr }) => {
  const [tool, ...rest] = args;
  if (tool === undefined || rest.length > 0 || tool.startsWith('-')) throw usageFailure('inputs takes one document');
  const { process, problems } = await loadProcess(toDocumentUri(tool), { reader: fileReader });
  stderr(formatProblems(problems.filter(problem => problem.severity === 'error')));
  if (!process) return 1;
  stdout(makeInputsTemplate(process));
  return 0;
};
