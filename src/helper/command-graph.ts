import { formatGraph } from '#cwl/graph.ts';
import { loadProcess } from '#cwl/load.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { fileReader } from './file-reader.ts';

/** `graph TOOL`: the workflow as a graph in the DOT language on stdout; problems of the document on stderr. */
export const graph: HelperCommand = async ({ args, stdout, stderr }) => {
  const [tool, ...rest] = args;
  if (tool === undefined || rest.length > 0 || tool.startsWith('-')) throw usageFailure('graph takes one document');
  const { process, problems } = await loadProcess(toDocumentUri(tool), { reader: fileReader });
  stderr(formatProblems(problems.filter(problem => problem.severity === 'error')));
  if (!process) return 1;
  stdout(formatGraph(process));
  return 0;
};
