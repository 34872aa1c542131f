/** Whether the links of a workflow lead somewhere, and what they bring can be taken. */
import type { Problem } from '#base/problem.ts';
import { fitType, withoutNull } from './fit-type.ts';
import { typeOfSink, typesOfSources } from './link-type.ts';
import type { InputParameter, Step, StepInput, Type, Workflow, WorkflowOutput } from './model.ts';
import { fieldOf, itemsOf, type MapNode, type Node, problemAt, textOf } from './node.ts';
import type { Reading } from './reading.ts';
import { suggest } from './suggest.ts';
import { formatType, isNullType, isOptional, membersOf } from './type-text.ts';

type Origins = Reading['origins'];

/** `isUnknown`: the step's process could not be read, so nothing is said about its ports. */
export function checkLinks(workflow: Workflow, origins: Origins, isUnknown: (step: Step) => boolean): Problem[] {
  const checker = new LinkChecker(workflow, origins);
  for (const step of workflow.steps) checker.checkStep(step, isUnknown(step));
  for (const output of workflow.outputs) checker.checkOutput(output);
  checker.checkCycles();
  return checker.problems;
}

class LinkChecker {
  readonly problems: Problem[] = [];
  readonly #workflow: Workflow;
  readonly #origins: Origins;
  readonly #types: Map<string, Type>;

  constructor(workflow: Workflow, origins: Origins) {
    this.#workflow = workflow;
    this.#origins = origins;
    this.#types = typesOfSources(workflow);
  }

  checkStep(step: Step, isUnknown: boolean): void {
    for (const input of step.in) {
      this.#checkSources(input, 'source');
      const sink = step.run.inputs.find(each => each.id === input.id);
      if (sink) this.#checkFit(step, input, sink);
      else if (!isUnknown) this.#checkUnused(step, input);
    }
    this.#checkScatter(step);
    this.#checkLoop(step);
    if (isUnknown) return;
    for (const input of step.run.inputs) this.#checkGiven(step, input);
    for (const [index, id] of step.out.entries()) {
      const names = step.run.outputs.map(output => output.id);
      if (names.includes(id)) continue;
      const node = itemsOf(fieldOf(this.#nodeOf(step), 'out'))[index] ?? this.#nodeOf(step);
      const message = `What step ${step.id} runs has no output ${id}.${suggest(id, names) || list(' It has', names)}`;
      this.problems.push(problemAt(node, 'cwl/unknown-output', message));
    }
  }

  checkOutput(output: WorkflowOutput): void {
    this.#checkSources(output, 'outputSource');
    const node = this.#nodeOf(output);
    if (output.outputSource.length === 0) {
      const message = `The output ${output.id} has no outputSource: it will always be null.`;
      this.problems.push(problemAt(headOf(node), 'cwl/no-source', message, 'warning'));
      return;
    }
    const given = typeOfSink({ ...output, source: output.outputSource }, this.#types);
    if (given) this.#tell(given, output.type, output, 'outputSource', `the output ${output.id}`);
  }

  /** Steps that wait for each other for ever; each circle is told once. */
  checkCycles(): void {
    const done = new Set<string>();
    for (const start of this.#workflow.steps) {
      const path: string[] = [];
      const walk = (id: string): boolean => {
        const at = path.indexOf(id);
        if (at >= 0) {
          const circle = [...path.slice(at), id].join(' → ');
          const step = this.#workflow.steps.find(each => each.id === id) as Step;
          const message = `These steps wait for each other for ever: ${circle}.`;
          this.problems.push(problemAt(headOf(this.#nodeOf(step)), 'cwl/cycle', message));
          return true;
        }
        if (done.has(id)) return false;
        done.add(id);
        path.push(id);
        const found = this.#predecessors(id).some(walk);
        path.pop();
        return found;
      };
      if (!done.has(start.id)) walk(start.id);
    }
  }

  #predecessors(id: string): string[] {
    const step = this.#workflow.steps.find(each => each.id === id);
    const sources = step?.in.flatMap(input => input.source) ?? [];
    return [
      ...new Set(
        sources
          .filter(source => this.#types.has(source) && source.includes('/'))
          .map(source => source.split('/')[0] as string),
      ),
    ];
  }

  #checkSources(sink: StepInput | WorkflowOutput, field: 'source' | 'outputSource'): void {
    const ids = 'source' in sink ? sink.source : sink.outputSource;
    const node = fieldOf(this.#nodeOf(sink), field);
    for (const [index, id] of ids.entries()) {
      if (this.#types.has(id)) continue;
      const [name = '', port] = id.split('/');
      const step = this.#workflow.steps.find(each => each.id === name);
      const hidden = port !== undefined && step?.run.outputs.some(output => output.id === port);
      const advice = hidden ? ` Step ${name} does not pass it on: add ${port} to its out.` : this.#advise(id);
      const message = `There is no workflow input or step output ${id}.${advice}`;
      this.problems.push(problemAt(itemsOf(node)[index] ?? this.#nodeOf(sink), 'cwl/unresolved-link', message));
    }
  }

  #advise(id: string): string {
    const outputs = this.#workflow.steps
      .filter(step => step.id === id)
      .flatMap(step => step.out.map(out => `${id}/${out}`));
    return outputs.length > 0 ? ` Did you mean ${outputs.join(' or ')}?` : suggest(id, this.#types.keys());
  }

  #checkFit(step: Step, input: StepInput, sink: InputParameter): void {
    // What an expression makes of it, only the run can tell.
    if (input.valueFrom !== undefined) return;
    let given = typeOfSink(input, this.#types);
    if (!given) return;
    if (input.default !== undefined || sink.default !== undefined) given = withoutNull(given);
    let taken = sink.type;
    for (const id of step.scatter) if (id === input.id) taken = { kind: 'array', items: taken };
    this.#tell(given, taken, input, 'source', `the input ${input.id} of step ${step.id}`);
  }

  #tell(given: Type, taken: Type, sink: StepInput | WorkflowOutput, field: string, what: string): void {
    const fit = fitType(given, taken);
    if (fit === 'fits') return;
    const ids = 'source' in sink ? sink.source : sink.outputSource;
    const sources = ids.length === 1 ? `${ids[0]} gives` : `${ids.join(' and ')} together give`;
    const node = fieldOf(this.#nodeOf(sink), field) ?? this.#nodeOf(sink);
    const types = `${sources} ${formatType(given)}, but ${what} takes ${formatType(taken)}.`;
    if (fit === 'never')
      this.problems.push(problemAt(node, 'cwl/incompatible-types', types + adviseFit(given, taken, field)));
    else if (isOnlyNull(given, taken)) {
      const message = `${types} The run fails if it is null.`;
      this.problems.push(problemAt(node, 'cwl/may-be-null', message, 'warning'));
    } else this.problems.push(problemAt(node, 'cwl/may-not-fit', `${types} Not every value fits.`, 'warning'));
  }

  /** An input of a step that its process does not have: useful only to expressions. */
  #checkUnused(step: Step, input: StepInput): void {
    const node = this.#nodeOf(step);
    const text = node.source.text.slice(node.start, node.end);
    if (new RegExp(`inputs(?:\\.|\\[["'])${input.id.replace(/[^\w]/g, '\\$&')}\\b`).test(text)) return;
    const names = step.run.inputs.map(each => each.id);
    const message = `What step ${step.id} runs has no input ${input.id}, and no expression uses it.${suggest(input.id, names)}`;
    this.problems.push(problemAt(headOf(this.#nodeOf(input)), 'cwl/unused-input', message, 'information'));
  }

  #checkGiven(step: Step, input: InputParameter): void {
    if (isOptional(input.type) || input.default !== undefined) return;
    const given = step.in.find(each => each.id === input.id);
    if (given && (given.source.length > 0 || given.default !== undefined || given.valueFrom !== undefined)) return;
    const message = `Step ${step.id} gives no value for ${input.id}, which takes ${formatType(input.type)}.`;
    const inputs = this.#nodeOf(step).entries.get('in')?.key ?? headOf(this.#nodeOf(step));
    this.problems.push(problemAt(given ? headOf(this.#nodeOf(given)) : inputs, 'cwl/missing-step-input', message));
  }

  #checkScatter(step: Step): void {
    const node = this.#nodeOf(step);
    const items = itemsOf(fieldOf(node, 'scatter'));
    for (const [index, id] of step.scatter.entries()) {
      const names = step.in.map(input => input.id);
      if (names.includes(id)) continue;
      const message = `Step ${step.id} has no input ${id} to scatter over.${suggest(id, names)}`;
      this.problems.push(problemAt(items[index] ?? node, 'cwl/unknown-scatter', message));
    }
    if (step.scatter.length > 1 && step.scatterMethod === undefined && !fieldOf(node, 'scatterMethod')) {
      const message =
        'A scatter over several inputs needs a scatterMethod: dotproduct, nested_crossproduct or flat_crossproduct.';
      this.problems.push(problemAt(fieldOf(node, 'scatter') ?? node, 'cwl/no-scatter-method', message));
    }
  }

  /** CWL v1.3 development. */
  #checkLoop(step: Step): void {
    if (!step.loop) return;
    const node = this.#nodeOf(step);
    const at = fieldOf(node, 'loop') ?? node;
    if (step.when === undefined)
      this.problems.push(problemAt(startOf(at), 'cwl/loop', 'A loop needs a when, which says whether to go on.'));
    if (step.scatter.length > 0)
      this.problems.push(problemAt(startOf(at), 'cwl/loop', 'A step has a loop or a scatter, not both.'));
    for (const input of step.loop.inputs) {
      for (const id of input.source) {
        if (step.out.includes(id)) continue;
        const message = `Step ${step.id} has no output ${id} to go on with.${suggest(id, step.out)}`;
        this.problems.push(problemAt(this.#nodeOf(input), 'cwl/unresolved-link', message));
      }
    }
  }

  #nodeOf(object: object): MapNode {
    return this.#origins.get(object) as MapNode;
  }
}

function adviseFit(given: Type, taken: Type, field: string): string {
  if (field !== 'source') return '';
  const isEach = given.kind === 'array' && fitType(given.items, taken) !== 'never';
  return isEach ? ' Add it to the scatter of the step to run it for each item.' : '';
}

function isOnlyNull(given: Type, taken: Type): boolean {
  return membersOf(given).some(isNullType) && fitType(withoutNull(given), taken) === 'fits';
}

function list(lead: string, names: string[]): string {
  return names.length === 0 ? `${lead} none.` : `${lead} ${names.join(', ')}.`;
}

function headOf(node: MapNode): Parameters<typeof problemAt>[0] {
  const first = node.entries.values().next().value?.key;
  return first ?? startOf(node);
}

function startOf(node: Node): Parameters<typeof problemAt>[0] {
  return textOf(node) === undefined ? { ...node, end: Math.min(node.end, node.start + 1) } : node;
}
