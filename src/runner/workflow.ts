import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from '#cwl/expression.ts';
import { cloneValue } from '#cwl/file-value.ts';
import { mergeLinks } from '#cwl/links.ts';
import type { Step, StepInput, Value, Workflow } from '#cwl/model.ts';
import { findRequirement, inherit, type Requirements } from '#cwl/requirements.ts';
import { gather, planScatter } from '#cwl/scatter.ts';
import { checkValue } from '#cwl/value-check.ts';
import { completeStepInput } from './inputs.ts';
import { runProcess } from './process.ts';
import { explain, now, type RunState, type Scope, StepFailed } from './run-state.ts';

type Values = Record<string, Value>;

/** Runs the steps of a workflow, each as soon as what it takes is there; throws StepFailed when all that could run has. */
export async function runWorkflow(
  run: RunState,
  workflow: Workflow,
  scope: Scope,
  prefix: { task: string; step: string },
): Promise<Values> {
  const started = new Map<string, Promise<Values>>();
  const start = (step: Step): Promise<Values> => {
    let outputs = started.get(step.id);
    if (!outputs) {
      outputs = new StepRun(run, workflow, step, scope, prefix).run(findSource);
      outputs.catch(() => {});
      started.set(step.id, outputs);
    }
    return outputs;
  };
  const findSource = async (source: string): Promise<Value> => {
    const slash = source.indexOf('/');
    if (slash < 0) return scope.inputs[source] ?? null;
    const step = workflow.steps.find(each => each.id === source.slice(0, slash));
    if (!step) throw new Failure('runner/source', `there is no ${source}`);
    return (await start(step))[source.slice(slash + 1)] ?? null;
  };
  const ends = await Promise.allSettled(workflow.steps.map(start));
  const bug = ends.find(end => end.status === 'rejected' && !(end.reason instanceof StepFailed));
  if (bug?.status === 'rejected') throw bug.reason;
  if (ends.some(end => end.status === 'rejected')) throw new StepFailed();

  const outputs: Values = {};
  for (const output of workflow.outputs) {
    const values = await Promise.all(output.outputSource.map(findSource));
    const value = cloneValue(mergeLinks({ ...output, source: output.outputSource }, values));
    const reason = value === null ? undefined : checkValue(value, output.type);
    if (reason) throw new Failure('runner/output', `${formatPlace(output.place)}: output ${output.id}: ${reason}`);
    outputs[output.id] = value;
  }
  return outputs;
}

class StepRun {
  readonly #run: RunState;
  readonly #workflow: Workflow;
  readonly #step: Step;
  readonly #requirements: Requirements;
  readonly #name: { task: string; step: string };

  constructor(run: RunState, workflow: Workflow, step: Step, scope: Scope, prefix: { task: string; step: string }) {
    this.#run = run;
    this.#workflow = workflow;
    this.#step = step;
    this.#requirements = inherit(scope.requirements, step);
    this.#name = { task: prefix.task + step.id, step: prefix.step + step.id };
  }

  async run(findSource: (source: string) => Promise<Value>): Promise<Values> {
    const sources = await this.#findSources(findSource);
    this.#run.checkGoesOn();
    try {
      const inputs: Values = {};
      for (const input of this.#step.in) inputs[input.id] = this.#link(input, sources.get(input.id) ?? []);
      if (this.#step.scatter.length > 0) return await this.#scatter(inputs);
      return this.#step.loop ? await this.#loop(this.#step.loop, inputs) : await this.#runJob(inputs, []);
    } catch (caught) {
      const error = explain(caught);
      if (error instanceof StepFailed || !(error instanceof Failure)) throw error;
      throw this.#run.fail({ ...this.#name, requirements: this.#requirements, inputs: {} }, error);
    }
  }

  async #findSources(findSource: (source: string) => Promise<Value>): Promise<Map<string, Value[]>> {
    const found = await Promise.all(
      this.#step.in.map(async input => [input.id, await Promise.all(input.source.map(findSource))] as const),
    );
    return new Map(found);
  }

  #link(input: StepInput, values: Value[]): Value {
    const linked = mergeLinks(input, values);
    const value = linked ?? input.default ?? null;
    const isDefault = linked === null && value !== null;
    if (!isDefault && !input.loadContents && input.loadListing === undefined) return value;
    return completeStepInput(cloneValue(value), input, this.#workflow.cwlVersion);
  }

  async #scatter(inputs: Values): Promise<Values> {
    const plan = planScatter(this.#step, inputs);
    const ends = await Promise.allSettled(plan.jobs.map(job => this.#runJob({ ...inputs, ...job.values }, job.index)));
    const bug = ends.find(end => end.status === 'rejected' && !(end.reason instanceof StepFailed));
    if (bug?.status === 'rejected') throw bug.reason;
    if (ends.some(end => end.status === 'rejected')) throw new StepFailed();
    const all = ends.map(end => (end.status === 'fulfilled' ? end.value : {}));
    return Object.fromEntries(
      this.#step.out.map(id => [
        id,
        gather(
          plan.shape,
          all.map(values => values[id] ?? null),
        ),
      ]),
    );
  }

  /** Runs the process again with what it gave, as long as `when` holds (CWL v1.3 development, LoopInput). */
  async #loop(loop: NonNullable<Step['loop']>, inputs: Values): Promise<Values> {
    const { run, out } = this.#step;
    const requirements = inherit(this.#requirements, run);
    const all: Values[] = [];
    let values = this.#evaluateInputs(inputs);
    for (; this.#isWanted(values); values = this.#nextInputs(loop, values, all.at(-1) ?? {})) {
      this.#run.checkGoesOn();
      const scope: Scope = { ...this.#name, task: `${this.#name.task}[${all.length}]`, requirements, inputs: values };
      all.push(await runProcess(this.#run, run, scope));
    }
    const collect = (id: string): Value =>
      loop.outputMethod === 'all' ? all.map(outputs => outputs[id] ?? null) : (all.at(-1)?.[id] ?? null);
    const outputs = Object.fromEntries(out.map(id => [id, collect(id)]));
    if (all.length === 0) this.#run.record({ type: 'task', time: now(), ...this.#name, state: 'skipped', outputs });
    return outputs;
  }

  /** Inputs that the loop does not name keep their values. */
  #nextInputs(loop: NonNullable<Step['loop']>, values: Values, outputs: Values): Values {
    const linked = { ...values };
    for (const input of loop.inputs) {
      if (input.source.length === 0 && input.default === undefined) continue;
      const value = mergeLinks(
        input,
        input.source.map(source => outputs[source] ?? null),
      );
      linked[input.id] = value ?? input.default ?? null;
    }
    const changed = { ...linked };
    for (const input of loop.inputs) {
      if (input.valueFrom === undefined) continue;
      const self = input.source.length > 0 ? (linked[input.id] ?? null) : null;
      changed[input.id] = evaluate(input.valueFrom, this.#context(linked), { place: input.place, self });
    }
    return changed;
  }

  async #runJob(inputs: Values, index: number[]): Promise<Values> {
    const name = { ...this.#name, task: this.#name.task + index.map(number => `[${number}]`).join('') };
    const { run } = this.#step;
    const scope: Scope = { ...name, requirements: inherit(this.#requirements, run), inputs };
    try {
      const values = this.#evaluateInputs(inputs);
      if (!this.#isWanted(values)) {
        const outputs = Object.fromEntries(this.#step.out.map(id => [id, null]));
        this.#run.record({ type: 'task', time: now(), ...name, state: 'skipped', outputs });
        return outputs;
      }
      return await runProcess(this.#run, run, { ...scope, inputs: values });
    } catch (caught) {
      const error = explain(caught);
      if (error instanceof StepFailed || !(error instanceof Failure)) throw error;
      throw this.#run.fail(scope, error);
    }
  }

  /** `valueFrom` sees the inputs as the links gave them, not what other `valueFrom` make of them. */
  #evaluateInputs(inputs: Values): Values {
    const changed: Values = {};
    for (const input of this.#step.in) {
      if (input.valueFrom === undefined) continue;
      const self = input.source.length > 0 || input.default !== undefined ? (inputs[input.id] ?? null) : null;
      changed[input.id] = evaluate(input.valueFrom, this.#context(inputs), { place: input.place, self });
    }
    return { ...inputs, ...changed };
  }

  #isWanted(inputs: Values): boolean {
    const { when, place } = this.#step;
    if (when === undefined) return true;
    const value = evaluate(when, this.#context(inputs), { place });
    if (typeof value === 'boolean') return value;
    throw new Failure('cwl/when', `${formatPlace(place)}: when must give true or false, not ${JSON.stringify(value)}`);
  }

  #context(inputs: Values): Context {
    const lib = findRequirement(this.#requirements, 'InlineJavascriptRequirement')?.expressionLib;
    return { version: this.#workflow.cwlVersion, inputs, runtime: {}, lib, evaluator: this.#run.evaluator };
  }
}
