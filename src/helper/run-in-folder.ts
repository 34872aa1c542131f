import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from '#base/failure.ts';
import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { loadProcess } from '#cwl/load.ts';
import type { RunOutcome } from '#runner/options.ts';
import { runInFolder } from '#runner/run.ts';
import type { Invocation } from './command-line.ts';
import { describeMachine } from './command-run.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { fileReader } from './file-reader.ts';
import { describeRunFolder, loadRequest } from './run-folder.ts';
import { keepRun } from './run-keeper.ts';
import { formatEvent } from './run-text.ts';

/**
 * Runs, or goes on with, what `request.json` in the folder asks for, with the documents below `source/`. The journal
 * tells how it goes; stderr is the run's log. Answers the exit status.
 */
export async function startRunInFolder(folder: string, invocation: Invocation): Promise<number> {
  const files = describeRunFolder('', folder);
  const request = await loadRequest(files);
  if (!request) throw new Failure('run/no-request', `${files.request} can't be read`);
  const { source } = files;
  const tool = toDocumentUri(resolve(source, request.tool));
  const loaded = await loadProcess(tool, { reader: fileReader });
  const { process } = loaded;
  invocation.stderr(formatProblems(loaded.problems));
  if (!process) return 1;
  // The object is read as a document of the source folder: that is where its relative paths start.
  const inputsUri = pathToFileURL(join(source, '.inputs.json')).href;
  const reader = {
    read: async (uri: string) => (uri === inputsUri ? JSON.stringify(request.inputs) : fileReader.read(uri)),
  };
  const document = await loadInputs(inputsUri, { reader, namespaces: loaded.namespaces, version: process.cwlVersion });
  const problems = [...document.problems, ...checkInputs(document, process)];
  invocation.stderr(formatProblems(problems));
  if (problems.some(problem => problem.severity === 'error')) return 1;
  const cancel = new AbortController();
  const keeper = keepRun(folder, () => cancel.abort(new Error('cancelled')));
  const options = request.options ?? {};
  try {
    const outcome = await runInFolder({
      ...describeMachine({
        engine: options.engine,
        dockerCommand: options.dockerCommand,
        noContainer: false,
        imageStore: options.imageStore,
        cacheDir: options.cache,
        mirrors: options.mirrors ?? {},
        parallel: options.parallel,
        cores: undefined,
        ram: undefined,
        onError: 'continue',
        evalTimeout: undefined,
        defaultContainer: undefined,
      }),
      process: { ...process, requirements: [...process.requirements, ...document.requirements] },
      inputs: document.values,
      folder,
      outdir: request.outdir ?? files.out,
      isFolderKept: true,
      label: request.label,
      signal: AbortSignal.any([invocation.signal, cancel.signal]),
      log: { debug() {}, info() {}, warn: text => invocation.stderr(`${text}\n`) },
      onEvent(event) {
        keeper.report(event);
        const text = formatEvent(event);
        if (text !== undefined) invocation.stderr(text);
      },
    });
    return toExit(outcome, invocation);
  } finally {
    keeper.close();
  }
}

function toExit(outcome: RunOutcome, invocation: Invocation): number {
  if (outcome.state === 'success') return 0;
  invocation.stderr(`${outcome.message}\n`);
  return outcome.state === 'cancelled' ? 130 : 1;
}
