/** Parts of a workflow as processes of their own: what leads to some targets, one step, or the process in a step. */
import { Failure } from '#base/failure.ts';
import type { InputParameter, OutputParameter, Process, Step, Type, Workflow, WorkflowOutput } from './model.ts';
import { suggest } from './suggest.ts';

/** What of a process is wanted; nothing given is all of it. */
export interface PartSelection {
  /** Outputs and steps of the workflow, with what they need. */
  targets: readonly string[];
  /** `outer/inner`: a step alone, with its scatter and expressions. */
  singleStep?: string;
  /** As `singleStep`, but what the step runs, without the step around it. */
  singleProcess?: string;
}

/** The part of `process` that is wanted; throws a Failure `cwl/no-part` for a name that it does not have. */
export function selectPart(process: Process, wanted: PartSelection): Process {
  if (wanted.singleProcess !== undefined) {
    const { workflow, step } = findStep(process, wanted.singleProcess);
    return withOuter(withOuter(step.run, step), workflow);
  }
  if (wanted.singleStep !== undefined) {
    const { workflow, step } = findStep(process, wanted.singleStep);
    return isolate(workflow, step);
  }
  return wanted.targets.length === 0 ? process : cut(toWorkflow(process), wanted.targets);
}

/** Names that can be targets: the outputs, and the steps with those of the workflows in them. */
export function listTargets(process: Process): { outputs: string[]; steps: string[] } {
  const listSteps = (workflow: Workflow, prefix: string): string[] =>
    workflow.steps.flatMap(step => [
      prefix + step.id,
      ...(step.run.class === 'Workflow' ? listSteps(step.run, `${prefix}${step.id}/`) : []),
    ]);
  return {
    outputs: process.outputs.map(output => output.id),
    steps: process.class === 'Workflow' ? listSteps(process, '') : [],
  };
}

/** The targets with all that they need; outputs of the workflow that need no more than that stay too. */
function cut(workflow: Workflow, targets: readonly string[]): Workflow {
  const names = [...workflow.outputs, ...workflow.steps].map(each => each.id);
  const steps = new Set<string>();
  const keep = (id: string) => {
    const step = workflow.steps.find(each => each.id === id);
    if (!step || steps.has(id)) return;
    steps.add(id);
    for (const input of step.in) for (const source of input.source) keep(toStep(source));
  };
  const outputs: WorkflowOutput[] = [];
  for (const target of targets) {
    const output = workflow.outputs.find(each => each.id === target);
    const step = workflow.steps.find(each => each.id === target);
    if (!output && !step) throw missing(workflow, target, names);
    if (output) {
      outputs.push(output);
      for (const source of output.outputSource) keep(toStep(source));
    } else if (step) {
      keep(step.id);
      outputs.push(...outputsOf(step, workflow));
    }
  }
  const kept = workflow.steps.filter(step => steps.has(step.id));
  const used = new Set([
    ...kept.flatMap(step => step.in.flatMap(input => input.source)),
    ...outputs.flatMap(each => each.outputSource),
  ]);
  return {
    ...workflow,
    inputs: workflow.inputs.filter(input => used.has(input.id)),
    outputs: outputs.filter((output, index) => outputs.findIndex(each => each.id === output.id) === index),
    steps: kept,
  };
}

/** What a step gives, under the names of the workflow's outputs where those are nothing else, as `step/out` elsewhere. */
function outputsOf(step: Step, workflow: Workflow): WorkflowOutput[] {
  return step.out.flatMap(id => {
    const source = `${step.id}/${id}`;
    const named = workflow.outputs.filter(each => each.outputSource.length === 1 && each.outputSource[0] === source);
    return named.length > 0 ? named : toOutput(step, id, source, source);
  });
}

/** A workflow of this step alone; its inputs are those of the step. */
function isolate(workflow: Workflow, step: Step): Workflow {
  const inputs = step.in.map((input): InputParameter => {
    const inner = step.run.inputs.find(each => each.id === input.id);
    const hasOther = input.valueFrom !== undefined || input.linkMerge !== undefined || input.pickValue !== undefined;
    const type: Type = inner && !hasOther ? inner.type : { kind: 'primitive', name: 'Any' };
    const isFree = hasOther || input.default !== undefined || inner?.default !== undefined;
    const items: Type = step.scatter.includes(input.id) ? { kind: 'array', items: type } : type;
    return {
      secondaryFiles: inner?.secondaryFiles ?? [],
      format: [],
      streamable: false,
      loadContents: false,
      id: input.id,
      label: input.label ?? inner?.label,
      doc: inner?.doc,
      type: isFree ? { kind: 'union', members: [{ kind: 'primitive', name: 'null' }, items] } : items,
      place: input.place,
    };
  });
  const linked = step.in.map(input => ({
    ...input,
    source: [input.id],
    sourceIsList: false,
    linkMerge: undefined,
    pickValue: undefined,
  }));
  const outputs = step.out.map(id => toOutput(step, id, id, `${step.id}/${id}`));
  return { ...workflow, inputs, outputs, steps: [{ ...step, in: linked }] };
}

function toOutput(step: Step, id: string, name: string, source: string): WorkflowOutput {
  const inner: OutputParameter | undefined = step.run.outputs.find(each => each.id === id);
  const type: Type = step.scatter.length > 0 || step.loop || step.when ? anything : inner ? inner.type : anything;
  return {
    secondaryFiles: [],
    format: [],
    streamable: false,
    loadContents: false,
    id: name,
    label: inner?.label,
    doc: inner?.doc,
    // Any does not take null, which a step that was skipped gives.
    type: type === anything ? { kind: 'union', members: [{ kind: 'primitive', name: 'null' }, anything] } : type,
    outputSource: [source],
    sourceIsList: false,
    place: step.place,
  };
}

const anything: Type = { kind: 'primitive', name: 'Any' };

/** A step, also one of a workflow that is a step; the workflow has what is in force around it. */
function findStep(process: Process, name: string): { workflow: Workflow; step: Step } {
  const workflow = toWorkflow(process);
  const direct = workflow.steps.find(each => each.id === name);
  if (direct) return { workflow, step: direct };
  const outer = workflow.steps.find(each => name.startsWith(`${each.id}/`) && each.run.class === 'Workflow');
  if (!outer) throw missing(workflow, name, listTargets(process).steps);
  const inner = withOuter(withOuter(outer.run, outer), workflow);
  return findStep(inner, name.slice(outer.id.length + 1));
}

/** Requirements of what is around a process are in force for it as well; its own go before them. */
function withOuter<P extends Process>(process: P, outer: Pick<Process, 'requirements' | 'hints'>): P {
  return {
    ...process,
    requirements: [...outer.requirements, ...process.requirements],
    hints: [...outer.hints, ...process.hints],
  };
}

function toWorkflow(process: Process): Workflow {
  if (process.class === 'Workflow') return process;
  throw new Failure('cwl/no-part', `this is a ${process.class}: only a Workflow has parts that can be run alone`);
}

function toStep(source: string): string {
  return source.includes('/') ? source.slice(0, source.indexOf('/')) : '';
}

function missing(workflow: Workflow, name: string, names: readonly string[]): Failure {
  const title = workflow.label ?? 'the workflow';
  return new Failure('cwl/no-part', `${title} has no step or output ${name}.${suggest(name, names)}`, {
    hint: `It has ${names.join(', ') || 'none'}.`,
  });
}
