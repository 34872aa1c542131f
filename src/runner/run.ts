import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Failure, formatFailure } from '#base/failure.ts';
import { addTriples, type Ontology } from '#cwl/format.ts';
import type { Process, Requirement } from '#cwl/model.ts';
import { parseRdfXml } from '#cwl/rdf-xml.ts';
import { inherit, noRequirements } from '#cwl/requirements.ts';
import { parseTurtle } from '#cwl/turtle.ts';
import type { Engine } from '#engine/sandbox.ts';
import type { Image } from '#image/image.ts';
import { downloadInputs } from './download.ts';
import type { RunEvent } from './events.ts';
import { Gate } from './gate.ts';
import { findFinished, Journal, readJournal } from './journal.ts';
import type { DockerRequirement, RunOptions, RunOutcome } from './options.ts';
import { runProcess } from './process.ts';
import { findRelocation, finishRelocation, relocateOutputs } from './relocate.ts';
import { ReuseCache } from './reuse-cache.ts';
import { explain, now, type RunState, StepFailed } from './run-state.ts';
import { Slots } from './slots.ts';
import { Starters } from './starters.ts';
import { TaskFailure } from './task-failure.ts';
import { TaskSandboxes } from './task-sandboxes.ts';

/**
 * Runs a process to its end and puts its outputs into the output folder. What an earlier process of the same run has
 * finished is not run again. Failures of the user's work are the outcome; a Failure is thrown only where the run's own
 * folder can't be used.
 */
export async function runInFolder(given: RunOptions): Promise<RunOutcome> {
  mkdirSync(join(given.folder, 'tasks'), { recursive: true });
  const options = { ...given, folder: realpathSync(given.folder) };
  const events = readJournal(options.folder);
  const journal = new Journal(options.folder);
  const record = (event: RunEvent) => {
    if (event.type !== 'progress') journal.append(event);
    options.onEvent(event);
  };
  try {
    record({
      type: 'run-started',
      time: now(),
      label: options.label,
      outdir: options.outdir,
      pid: process.pid,
      hostname: hostname(),
      bootId: readBootId(),
      steps: listSteps(options.process),
      resumed: events.length > 0,
    });
    const outcome = await execute(options, record, events);
    const { state, outputs, message } = outcome;
    record({
      type: 'run-ended',
      time: now(),
      state,
      ...(message !== undefined && { message }),
      ...(outputs && { outputs }),
    });
    return outcome;
  } finally {
    journal.close();
  }
}

async function execute(
  options: RunOptions,
  record: (event: RunEvent) => void,
  events: RunEvent[],
): Promise<RunOutcome> {
  const run = createState(options, record, events);
  const { folder, outdir, checksums = true, outputs: how = 'move', isFolderKept: leavesLinks } = options;
  const relocation = { run: folder, outdir, how, checksums, leavesLinks };
  const last = events.findLast(event => event.type === 'run-ended');
  try {
    if (last?.state === 'success' && last.outputs) return { state: 'success', outputs: last.outputs };
    const begun = findRelocation(options.folder);
    if (begun) return { state: 'success', outputs: await finishRelocation(begun, relocation) };
    if (usesJavaScript(options.process)) run.evaluator = await options.loadEvaluator();
    const inputs = await downloadInputs(options.inputs, options);
    const name = options.process.class === 'Workflow' ? '' : 'main';
    const requirements = inherit(noRequirements, options.process);
    const outputs = await runProcess(run, options.process, { task: name, step: name, requirements, inputs });
    options.signal.throwIfAborted();
    return { state: 'success', outputs: await relocateOutputs(outputs, relocation) };
  } catch (caught) {
    const error = explain(caught);
    if (options.signal.aborted) return { state: 'cancelled', message: 'The run was cancelled.' };
    if (error instanceof StepFailed) {
      const unsupported = run.failures.some(failure => failure.unsupported);
      return { state: 'failure', message: run.failures.map(failure => failure.message).join('\n'), unsupported };
    }
    if (!(error instanceof Failure)) {
      // A fault of this program: it is thrown, and the journal is not left open.
      record({ type: 'run-ended', time: now(), state: 'failure', message: `internal error: ${String(error)}` });
      throw error;
    }
    return { state: 'failure', message: formatFailure(error), unsupported: error.code === 'runner/unsupported' };
  } finally {
    await run.starters.close();
    run.sandboxes.close();
  }
}

function createState(options: RunOptions, record: (event: RunEvent) => void, events: RunEvent[]): RunState {
  const killer = new AbortController();
  const signal = AbortSignal.any([options.signal, killer.signal]);
  let engine: Promise<Engine> | undefined;
  let gpus: ReturnType<RunOptions['loadGpus']> | undefined;
  const warnings = new Set<string>();
  const loadEngine = async () => {
    if (!options.loadEngine) throw new Failure('runner/no-engine', 'no engine for containers');
    const loaded = await options.loadEngine();
    const { name, why, warning } = loaded;
    if (warning !== undefined) options.log.warn(warning);
    record({ type: 'engine', time: now(), hostname: hostname(), engine: name, ...(why !== undefined && { why }) });
    return loaded;
  };
  const images = new Map<string, Promise<Image>>();
  const ready = new Set<string>();
  const ontologies = new Map<string, Promise<Ontology>>();
  const failures: RunState['failures'] = [];
  return {
    options,
    gate: new Gate(options.capacity, signal),
    slots: new Slots(options.folder),
    cache: openCache(options),
    sandboxes: new TaskSandboxes(options.folder),
    starters: new Starters(options.spawner),
    evaluator: undefined,
    finished: findFinished(events),
    signal,
    failures,
    record,
    loadEngine() {
      engine ??= loadEngine();
      return engine;
    },
    loadGpus() {
      gpus ??= options.loadGpus();
      return gpus;
    },
    warnOnce(text) {
      if (!warnings.has(text)) options.log.warn(text);
      warnings.add(text);
    },
    isReady: requirement => ready.has(toImageKey(requirement)),
    resolveImage(requirement) {
      const key = toImageKey(requirement);
      let image = images.get(key);
      if (!image) {
        const tell = (progress: Parameters<Parameters<typeof options.images.resolve>[2]>[0]) =>
          record({ type: 'progress', time: now(), progress });
        image = options.images.resolve(requirement, signal, tell).finally(() => tell(undefined));
        images.set(key, image);
        image.then(
          () => ready.add(key),
          () => {},
        );
      }
      return image;
    },
    loadOntology(schemas) {
      const key = schemas.join(' ');
      const loaded = ontologies.get(key) ?? loadOntology(schemas, options);
      ontologies.set(key, loaded);
      return loaded;
    },
    fail(scope, error, details = {}) {
      const message = formatFailure(error);
      const short = error instanceof TaskFailure ? error.reason : message;
      record({
        type: 'task',
        time: now(),
        task: scope.task,
        step: scope.step,
        state: 'failure',
        message: short,
        ...details,
      });
      const full = error instanceof TaskFailure ? message : `${scope.task}: ${message}`;
      const unsupported = error instanceof Failure && error.code === 'runner/unsupported';
      failures.push({ task: scope.task, message: full, unsupported });
      if (options.onError === 'kill') killer.abort(new Error('another task has failed'));
      return new StepFailed();
    },
    checkGoesOn() {
      if (signal.aborted || (options.onError === 'stop' && failures.length > 0)) throw new StepFailed();
    },
  };
}

function openCache({ cache, process }: RunOptions): ReuseCache | undefined {
  if (cache === undefined) return undefined;
  if (changesInPlace(process)) {
    // A step that changes its input would change what the cache holds.
    return undefined;
  }
  try {
    return new ReuseCache(cache);
  } catch (error) {
    throw new Failure('runner/cache', `${cache} can't be used as a cache`, { cause: error });
  }
}

function changesInPlace(root: Process): boolean {
  const has = (part: { requirements: Requirement[]; hints: Requirement[] }) =>
    [...part.requirements, ...part.hints].some(each => each.class === 'InplaceUpdateRequirement' && each.inplaceUpdate);
  return has(root) || (root.class === 'Workflow' && root.steps.some(step => has(step) || changesInPlace(step.run)));
}

function toImageKey({ place: _, ...what }: DockerRequirement): string {
  return JSON.stringify(what);
}

async function loadOntology(schemas: readonly string[], options: RunOptions): Promise<Ontology> {
  const ontology = new Map<string, Set<string>>();
  for (const uri of schemas) {
    try {
      const text = await options.reader.read(uri);
      addTriples(ontology, /^\s*(?:<\?xml|<!|<rdf:RDF)/.test(text) ? parseRdfXml(text) : parseTurtle(text));
    } catch (error) {
      // Then formats are compared by name (CWL v1.2, File.format).
      options.log.warn(
        `${uri} can't be read; file formats that it describes are compared by name only: ${formatFailure(error)}`,
      );
    }
  }
  return ontology;
}

/** The steps that make tasks, with the workflows around them in front. */
function listSteps(root: Process, prefix = ''): { id: string; label?: string }[] {
  if (root.class !== 'Workflow') return [{ id: 'main', ...(root.label !== undefined && { label: root.label }) }];
  return root.steps.flatMap(step => {
    if (step.run.class === 'Workflow') return listSteps(step.run, `${prefix}${step.id}/`);
    return [{ id: prefix + step.id, ...(step.label !== undefined && { label: step.label }) }];
  });
}

function usesJavaScript(root: Process): boolean {
  const isJavaScript = (requirement: { class: string }) => requirement.class === 'InlineJavascriptRequirement';
  const has = (part: { requirements: { class: string }[]; hints: { class: string }[] }) =>
    part.requirements.some(isJavaScript) || part.hints.some(isJavaScript);
  return has(root) || (root.class === 'Workflow' && root.steps.some(step => has(step) || usesJavaScript(step.run)));
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
