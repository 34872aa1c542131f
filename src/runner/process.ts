import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from '#cwl/expression.ts';
import { cloneValue, findPaths, isObject } from '#cwl/file-value.ts';
import type { ExpressionTool, InputParameter, LoadListing, Process, Value } from '#cwl/model.ts';
import { findRequirement } from '#cwl/requirements.ts';
import { completeInputs, fillInputs } from './inputs.ts';
import { toTaskKey } from './key.ts';
import { hasFiles } from './resume.ts';
import { explain, now, type RunState, type Scope, StepFailed } from './run-state.ts';
import { runTool } from './task.ts';
import { TaskFailure } from './task-failure.ts';
import { runWorkflow } from './workflow.ts';

type Values = Record<string, Value>;

/** Runs any process once with the inputs of `scope`; throws StepFailed or a Failure. */
export async function runProcess(run: RunState, process: Process, scope: Scope): Promise<Values> {
  const inputs = await prepareInputs(run, process, scope);
  const own = { ...scope, inputs };
  if (process.class === 'Workflow') {
    const isRoot = scope.task === '';
    return runWorkflow(
      run,
      process,
      own,
      isRoot ? { task: '', step: '' } : { task: `${scope.task}/`, step: `${scope.step}/` },
    );
  }
  if (process.class === 'Operation') {
    throw new Failure(
      'runner/unsupported',
      `${formatPlace(process.place)}: an Operation has no program: it can't be run`,
    );
  }
  return runTask(run, process, own);
}

/** A tool or an expression tool: what the journal knows as a task. */
async function runTask(
  run: RunState,
  process: Exclude<Process, { class: 'Workflow' | 'Operation' }>,
  scope: Scope,
): Promise<Values> {
  const { task, step } = scope;
  const key = toTaskKey(process, scope.requirements, scope.inputs);
  const earlier = run.finished.get(task);
  if (earlier?.key === key && earlier.outputs && hasFiles(earlier.outputs)) {
    run.record({ ...earlier, time: now(), state: 'reused' });
    return cloneValue(earlier.outputs);
  }
  run.record({ type: 'task', time: now(), task, step, state: 'waiting' });
  try {
    const { outputs, isReused = false } =
      process.class === 'ExpressionTool'
        ? { outputs: runExpressionTool(run, process, scope) }
        : await runTool(run, process, scope, findListing(process, scope));
    run.record({
      type: 'task',
      time: now(),
      task,
      step,
      state: isReused ? 'reused' : 'success',
      outputs,
      key,
      ...(process.class === 'CommandLineTool' && !isReused && { exitCode: 0 }),
    });
    return cloneValue(outputs);
  } catch (caught) {
    const error = explain(caught);
    if (run.signal.aborted) {
      run.record({ type: 'task', time: now(), task, step, state: 'cancelled' });
      throw new StepFailed();
    }
    if (error instanceof StepFailed) {
      run.record({ type: 'task', time: now(), task, step, state: 'cancelled' });
      throw error;
    }
    if (!(error instanceof Failure)) throw error;
    const details = error instanceof TaskFailure && error.exitCode !== null ? { exitCode: error.exitCode } : {};
    throw run.fail(scope, error, details);
  }
}

function runExpressionTool(run: RunState, tool: ExpressionTool, scope: Scope): Values {
  const context: Context = {
    version: tool.cwlVersion,
    inputs: scope.inputs,
    runtime: {},
    lib: findRequirement(scope.requirements, 'InlineJavascriptRequirement')?.expressionLib,
    evaluator: run.evaluator,
  };
  const value = evaluate(tool.expression, context, { place: tool.expressionPlace });
  if (!isObject(value)) {
    throw new Failure(
      'runner/output',
      `${formatPlace(tool.expressionPlace)}: the expression must give an object with the outputs, not ${JSON.stringify(value)}`,
    );
  }
  const outputs = Object.fromEntries(tool.outputs.map(output => [output.id, (value as Values)[output.id] ?? null]));
  for (const path of findPaths(outputs)) if (path.location !== undefined && path.class === 'File') delete path.contents;
  return outputs;
}

/** Defaults, types, and all that files carry. */
async function prepareInputs(run: RunState, process: Process, scope: Scope): Promise<Values> {
  const inputs = fillInputs(process.inputs, scope.inputs);
  if (findPaths(inputs).length === 0) return inputs;
  const context: Context = {
    version: process.cwlVersion,
    inputs,
    runtime: {},
    lib: findRequirement(scope.requirements, 'InlineJavascriptRequirement')?.expressionLib,
    evaluator: run.evaluator,
  };
  const loadListing = findListing(process, scope);
  const isRoot = scope.task === '' || scope.task === 'main';
  completeInputs(process.inputs, inputs, {
    context,
    loadListing,
    ontology: await run.loadOntology(process.inputs.some(hasFormat) ? process.schemas : []),
    // A default is named in the document, as the run's inputs are by the user.
    findsSecondaryFiles: parameter => isRoot || (scope.inputs[parameter.id] ?? null) === null,
  });
  return inputs;
}

/** Formats of record fields are met in the type. */
function hasFormat(parameter: InputParameter): boolean {
  return parameter.format.length > 0 || JSON.stringify(parameter.type).includes('"format":["');
}

/** v1.0 knows no LoadListingRequirement and loads all (CWL v1.1, changes: LoadListingRequirement). */
function findListing(process: Process, scope: Scope): LoadListing {
  const requirement = findRequirement(scope.requirements, 'LoadListingRequirement');
  return requirement?.loadListing ?? (process.cwlVersion === 'v1.0' ? 'deep_listing' : 'no_listing');
}
