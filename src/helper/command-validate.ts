import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { loadProcess } from '#cwl/load.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { fileReader } from './file-reader.ts';

/** `validate [--enable-dev] TOOL [INPUTS]`: every problem on its own line of stdout; 0 without errors, 1 with. */
export const validate: HelperCommand = async ({ args, stdout, stderr }) => {
  const enableDev = args.includes('--enable-dev');
  const [tool, inputs, ...rest] = args.filter(argument => argument !== '--enable-dev');
  const option = args.find(argument => argument.startsWith('-') && argument !== '--enable-dev');
  if (option !== undefined) throw usageFailure(`validate has no option ${option}`);
  if (tool === undefined || rest.length > 0)
    throw usageFailure('validate takes a document, and perhaps an input object');
  const reader = fileReader;
  const loaded = await loadProcess(toDocumentUri(tool), { reader, enableDev, everything: true });
  const problems = [...loaded.problems];
  if (inputs !== undefined) {
    const document = await loadInputs(toDocumentUri(inputs), { reader, namespaces: loaded.namespaces });
    problems.push(...document.problems, ...(loaded.process ? checkInputs(document, loaded.process) : []));
  }
  stdout(formatProblems(problems));
  const errors = problems.filter(problem => problem.severity === 'error').length;
  stderr(errors === 0 ? `${tool} is valid CWL\n` : `${tool} has ${errors} ${errors === 1 ? 'error' : 'errors'}\n`);
  return errors === 0 ? 0 : 1;
};
