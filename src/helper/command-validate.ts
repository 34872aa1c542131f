import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { loadProcess } from '#cwl/load.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { fileReader } from './file-reader.ts';

const options = ['--enable-dev', '--strict', '--lenient'];
/**
 * `validate [--strict|--lenient] [--enable-dev] TOOL [INPUTS]`: every problem on its own line of stdout; 0 without
 * errors, 1 with. `--strict`: warnings are errors too; `--lenient`: fields that CWL does not know are warnings.
 */
export const validate: HelperCommand = async ({ args, stdout, stderr }) => {
  const enableDev = args.includes('--enable-dev');
  const [tool, inputs, ...rest] = args.filter(argument => !options.includes(argument));
  const option = args.find(argument => argument.startsWith('-') && !options.includes(argument));
  if (option !== undefined) throw usageFailure(`validate has no option ${option}`);
  if (tool === undefined || rest.length > 0)
    throw usageFailure('validate takes a document, and perhaps an input object');
  const reader = fileReader;
  const loaded = await loadProcess(toDocumentUri(tool), {
    reader,
    enableDev,
    lenient: args.includes('--lenient'),
    everything: true,
  });
  const problems = [...loaded.problems];
  if (inputs !== undefined) {
    const document = await loadInputs(toDocumentUri(inputs), { reader, namespaces: loaded.namespaces });
    problems.push(...document.problems, ...(loaded.process ? checkInputs(document, loaded.process) : []));
  }
  if (args.includes('--strict')) {
    for (const problem of problems) if (problem.severity === 'warning') problem.severity = 'error';
  }
  stdout(formatProblems(problems));
  const errors = problems.filter(problem => problem.severity === 'error').length;
  stderr(errors === 0 ? `${tool} is valid CWL\n` : `${tool} has ${errors} ${errors === 1 ? 'error' : 'errors'}\n`);
  return errors === 0 ? 0 : 1;
};
