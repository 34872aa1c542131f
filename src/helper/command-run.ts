import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { constrainedMemory } from 'node:process';
import { pathToFileURL } from 'node:url';
import { Failure } from '#base/failure.ts';
import { checkInputs, loadInputs } from '#cwl/inputs-document.ts';
import { loadProcess } from '#cwl/load.ts';
import type { Process, Value } from '#cwl/model.ts';
import { formatNumber } from '#cwl/number.ts';
import { applyOverrides, type Override } from '#cwl/overrides.ts';
import type { Reader } from '#cwl/reader.ts';
import { selectPart } from '#cwl/select-part.ts';
import type { RunOptions, RunOutcome } from '#runner/options.ts';
import { runInFolder } from '#runner/run.ts';
import { type HelperCommand, type Invocation, usageFailure } from './command-line.ts';
import { formatProblems, toDocumentUri } from './document-argument.ts';
import { loadHostEngine, openEngine } from './engines.ts';
import { fileReader } from './file-reader.ts';
import { findHome, type Home } from './home.ts';
import { prepareImages } from './images.ts';
import { formatTargets, formatToolHelp, parseInputOptions } from './input-options.ts';
import { keepLogs, openLogFolder } from './keep-logs.ts';
import { loadCommandLine, saveCommandLine } from './run-command-line.ts';
import { removeRunFolder } from './run-end.ts';
import { makeRunFolder } from './run-folder.ts';
import { startRunInFolder } from './run-in-folder.ts';
import { keepRun } from './run-keeper.ts';
import { parseRunArguments, type RunArguments } from './run-options.ts';
import { formatEvent } from './run-text.ts';
import { findQuickjs, findSpawner } from './tools.ts';

/** Exit status for what the document requires and this program does not offer (the cwl-runner contract). */
const unsupported = 33;

/**
 * `run [OPTIONS] TOOL [INPUTS]`: the cwl-runner contract. The output object on stdout and nothing else there; progress and
 * failures on stderr. The run's folder is removed after a success, and kept, and named, after a failure.
 */
export const run: HelperCommand = async invocation => {
  const options = parseRunArguments(invocation.args);
  if (options.runFolder === undefined) return runCommandLine(options, invocation);
  const begun = loadCommandLine(options.runFolder);
  if (!begun) return startRunInFolder(options.runFolder, invocation);
  // It was begun on the command line, where all paths started at the folder of then.
  globalThis.process.chdir(begun.cwd);
  return runCommandLine(parseRunArguments(begun.args), invocation, options.runFolder);
};

/** `begun`: the folder of a run to go on with; its folder stays, since nobody reads its output object. */
async function runCommandLine(options: RunArguments, invocation: Invocation, begun?: string): Promise<number> {
  if (options.tool === undefined) throw usageFailure('run needs a tool or a workflow');
  const machine = describeMachine(options);
  const loaded = await loadAll(options.tool, options, invocation, warmUp(machine));
  if (typeof loaded === 'number') return loaded;
  const { process, inputs } = loaded;
  const label = process.label ?? basename(options.tool);
  const folder = begun ?? (await makeFolder(findHome(), options));
  if (!begun) saveCommandLine(folder, invocation.args, { tool: options.tool, label, outdir: options.outdir });
  const cancel = new AbortController();
  const keeper = keepRun(folder, () => cancel.abort(new Error('cancelled')));
  const keep = options.keep || begun !== undefined || options.outputs !== 'move';
  let outcome: RunOutcome;
  try {
    outcome = await runInFolder({
      ...machine,
      process,
      inputs,
      folder,
      outdir: options.outputs === 'leave' ? join(folder, 'out') : options.outdir,
      isFolderKept: keep,
      label,
      signal: AbortSignal.any([invocation.signal, cancel.signal]),
      log: { debug() {}, info() {}, warn: text => invocation.stderr(`${text}\n`) },
      onEvent(event) {
        keeper.report(event);
        const text = options.quiet ? undefined : formatEvent(event);
        if (text !== undefined) invocation.stderr(options.timestamps ? `${event.time} ${text}` : text);
      },
    });
  } finally {
    keeper.close();
  }
  return finish(outcome, folder, { ...options, keep }, invocation);
}

/** What a run needs of this host and of the settings, whoever asks for it. */
export function describeMachine(
  options: Pick<
    RunArguments,
    | 'engine'
    | 'dockerCommand'
    | 'noContainer'
    | 'imageStore'
    | 'cacheDir'
    | 'mirrors'
    | 'parallel'
    | 'cores'
    | 'ram'
    | 'onError'
    | 'evalTimeout'
    | 'defaultContainer'
  > &
    Partial<Pick<RunArguments, 'quiet' | 'environment' | 'pull' | 'checksums' | 'outputs'>>,
): Pick<
  RunOptions,
  | 'loadEngine'
  | 'hostEngine'
  | 'loadGpus'
  | 'spawner'
  | 'cache'
  | 'images'
  | 'loadEvaluator'
  | 'reader'
  | 'capacity'
  | 'environment'
  | 'checksums'
  | 'outputs'
  | 'onError'
  | 'defaultContainer'
> {
  let evaluator: ReturnType<RunOptions['loadEvaluator']> | undefined;
  const isHost = options.noContainer || options.engine === 'host';
  const loadEngine = openEngine(options.engine, { dockerCommand: options.dockerCommand });
  return {
    loadEngine: isHost ? undefined : loadEngine,
    hostEngine: loadHostEngine(),
    loadGpus: async () => {
      const { findGpus } = await import('./gpu-node.ts');
      return findGpus({ root: process.env.NVIDIA_DRIVER_ROOT, visible: process.env.CUDA_VISIBLE_DEVICES });
    },
    spawner: findSpawner(),
    cache: options.cacheDir,
    images: prepareImages(loadEngine, {
      store: options.imageStore ?? findHome().images,
      mirrors: options.mirrors,
      policy: options.pull,
      engine: options.engine,
      onOutput: options.quiet ? undefined : text => process.stderr.write(text),
    }),
    loadEvaluator() {
      evaluator ??= import('./quickjs-evaluator.ts').then(({ createEvaluator }) =>
        createEvaluator(findQuickjs(), { seconds: options.evalTimeout }),
      );
      return evaluator;
    },
    reader: fileReader,
    capacity: {
      cores: options.cores ?? availableParallelism(),
      ram: options.ram ?? Math.floor(findMemory() / 1_048_576),
      tasks: options.parallel ?? Number.POSITIVE_INFINITY,
    },
    environment: takeEnvironment(options.environment ?? []),
    checksums: options.checksums,
    outputs: options.outputs === 'copy' ? 'copy' : 'move',
    onError: options.onError,
    defaultContainer: options.defaultContainer,
  };
}

/** A reader that has the evaluator made as soon as it meets a document that will need it: the two take long together. */
function warmUp({ loadEvaluator }: Pick<RunOptions, 'loadEvaluator'>): Reader {
  return {
    async read(uri) {
      const text = await fileReader.read(uri);
      // Whoever needs it is told why there is none.
      if (text.includes('InlineJavascriptRequirement')) loadEvaluator().catch(() => {});
      return text;
    },
  };
}

/** The variables of this process that tools are to have. */
function takeEnvironment(names: string[] | 'all'): Record<string, string> {
  const all = Object.entries(globalThis.process.env) as [string, string][];
  return Object.fromEntries(names === 'all' ? all : all.filter(([name]) => names.includes(name)));
}

/** Bytes that this process may use: those of the machine, or fewer where a control group says so. */
function findMemory(): number {
  const limit = constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** The process and its inputs; a number is the exit status where there is nothing to run. */
async function loadAll(
  tool: string,
  options: RunArguments,
  invocation: Invocation,
  reader: Reader,
): Promise<{ process: Process; inputs: Record<string, Value> } | number> {
  const loadDocument = async (uri: string) => {
    const loaded = await loadProcess(uri, { reader, enableDev: options.enableDev, lenient: options.lenient });
    const shown = loaded.problems.filter(problem => problem.severity === 'error' || !options.quiet);
    if (shown.length > 0) invocation.stderr(formatProblems(shown));
    return loaded;
  };
  const toExit = (problems: { code: string }[]) =>
    problems.some(problem => problem.code === 'cwl/unknown-requirement') ? unsupported : 1;
  let uri = toDocumentUri(tool);
  // An input object may itself name the tool (CWL v1.2, Executing CWL documents as scripts).
  const script = await loadInputs(uri, { reader });
  let inputsUri: string | undefined;
  if (script.tool !== undefined) {
    inputsUri = uri;
    uri = script.tool;
  }
  const loaded = await loadDocument(uri);
  if (!loaded.process) return toExit(loaded.problems);
  let { process } = loaded;
  if (options.printTargets) {
    invocation.stdout(formatTargets(process));
    return 0;
  }
  const whole = process;
  const overrides: Override[] = [];
  for (const path of options.overrides) {
    const read = await loadInputs(toDocumentUri(path), {
      reader,
      namespaces: loaded.namespaces,
      version: whole.cwlVersion,
    });
    if (read.problems.length > 0) invocation.stderr(formatProblems(read.problems));
    if (read.problems.some(problem => problem.severity === 'error')) return toExit(read.problems);
    overrides.push(...read.overrides);
  }
  const part = (own: readonly Override[]) => selectPart(applyOverrides(whole, [...own, ...overrides]), options);
  process = part([]);
  const asksForHelp = options.rest.length === 1 && ['--help', '--tool-help'].includes(options.rest[0] ?? '');
  if (options.toolHelp || (asksForHelp && !process.inputs.some(input => `--${input.id}` === options.rest[0]))) {
    invocation.stdout(formatToolHelp(tool, process));
    return 0;
  }
  const given = parseInputOptions(options.rest, process, options.basedir ?? '.');
  if (given.file !== undefined) inputsUri = toDocumentUri(given.file);
  if (inputsUri === undefined) return { process, inputs: given.values };
  const base = options.basedir === undefined ? undefined : pathToFileURL(`${options.basedir}/`).href;
  const document = await loadInputs(inputsUri, {
    reader,
    namespaces: loaded.namespaces,
    version: process.cwlVersion,
    base,
  });
  process = part(document.overrides);
  const problems = [
    ...document.problems,
    ...checkInputs(document, options.targets.length > 0 ? whole : process),
  ].filter(problem => problem.code !== 'cwl/missing-input' && (problem.severity === 'error' || !options.quiet));
  if (problems.length > 0) invocation.stderr(formatProblems(problems));
  if (problems.some(problem => problem.severity === 'error')) return toExit(problems);
  if (document.requirements.length > 0) {
    process = { ...process, requirements: [...process.requirements, ...document.requirements] };
  }
  return { process, inputs: { ...document.values, ...given.values } };
}

/**
 * On the file system of the outputs where that is another one than the home's, so that outputs are moved, not copied; the
 * home then holds a link.
 */
async function makeFolder(home: Home, options: RunArguments): Promise<string> {
  if (options.tmpdirPrefix !== undefined) {
    mkdirSync(dirname(`${options.tmpdirPrefix}x`), { recursive: true });
    return mkdtempSync(options.tmpdirPrefix);
  }
  const { folder } = await makeRunFolder(home);
  try {
    mkdirSync(options.outdir, { recursive: true });
    if (statSync(options.outdir).dev === statSync(folder).dev) return folder;
    rmSync(folder, { recursive: true });
    const elsewhere = mkdtempSync(`${options.outdir}/.cwl-run-`);
    symlinkSync(elsewhere, folder);
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw new Failure('helper/outdir', `the output folder ${options.outdir} can't be used`, { cause: error });
  }
}

async function finish(
  outcome: RunOutcome,
  folder: string,
  options: RunArguments,
  invocation: Invocation,
): Promise<number> {
  if (outcome.state === 'success') {
    const text = `${JSON.stringify(outcome.outputs, writeNumbersInFull, 4)}\n`;
    invocation.stdout(text);
    if (options.summary !== undefined) writeFileSync(options.summary, text);
    keepLogs(folder, options.logDir ?? openLogFolder(findHome(), basename(folder)));
    if (options.keep) invocation.stderr(`The folder of the run is ${folder}\n`);
    else await removeRunFolder(folder, { alone: true });
    return 0;
  }
  invocation.stderr(`${outcome.message}\nThe folder of the run, with the logs of all its tasks, is ${folder}\n`);
  if (outcome.state === 'cancelled') return 130;
  return outcome.unsupported ? unsupported : 1;
}

/** JSON.stringify writes 1e+42, which some readers take for another number than the integer that it is. */
function writeNumbersInFull(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Math.abs(value) < 1e21) return value;
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  return rawJSON(formatNumber(value));
}
