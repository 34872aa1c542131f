import { loadProcess } from '#cwl/load.ts';
import { packProcess } from '#cwl/pack.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { fileReader } from './file-reader.ts';

/** `pack [--enable-dev] TOOL`: the document with all that it leads to as one, in JSON on stdout. */
export const pack: HelperCommand = async ({ args, stdout, stderr }) => {
  const enableDev = args.includes('--enable-dev');
  const [tool, ...rest] = args.filter(argument => argument !== '--enable-dev');
  if (tool === undefined || rest.length > 0 || tool.startsWith('-')) throw usageFailure('pack takes one document');
  const { process, problems, nodeOf } = await loadProcess(toDocumentUri(tool), { reader: fileReader, enableDev });
  stderr(formatProblems(problems.filter(problem => problem.severity === 'error')));
  if (!process) return 1;
  stdout(`${JSON.stringify(packProcess(process, nodeOf), undefined, 2)}\n`);
  return 0;
};
