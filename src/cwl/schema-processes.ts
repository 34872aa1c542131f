import type { Version } from './model.ts';
import { type FieldRule, may, must, oneOrMore, type RecordRule } from './schema.ts';
import { common, linkMerge, loading, named, parameterRules, pickValue } from './schema-parameters.ts';
import { requirementParts, requirementRules } from './schema-requirements.ts';

const requirements = may('requirements', 'What must be so for this to run; an unknown one is an error.');
const hints = may('hints', 'What should be so; unknown ones are ignored.');

function processRule(
  doc: string,
  inputs: string,
  outputs: string,
  own: RecordRule['fields'],
  since?: Version,
): RecordRule {
  return {
    doc,
    since,
    fields: {
      class: must('string', 'What kind of process this is.'),
      cwlVersion: may('string', 'The version of CWL: `v1.2`.'),
      id: may('string', 'The name by which other processes of a packed document refer to this one.'),
      ...common,
      intent: may({ list: 'string' }, 'IRIs of the operation that this performs.', { since: 'v1.2' }),
      inputs: must({ elements: inputs, subject: 'id', predicate: 'type' }, 'The inputs: a name and a type for each.'),
      outputs: must(
        { elements: outputs, subject: 'id', predicate: 'type' },
        'The outputs: a name and a type for each.',
      ),
      requirements,
      hints,
      ...own,
    },
  };
}

const text = (doc: string): FieldRule => may('string', doc);
const codes = (doc: string): FieldRule => may({ list: 'int' }, doc);

const processRules: Record<string, RecordRule> = {
  CommandLineTool: processRule('A program and its command line.', 'CommandInputParameter', 'CommandOutputParameter', {
    baseCommand: may(oneOrMore('string'), 'The program, and the arguments that always come first.'),
    arguments: may(
      { list: ['string', { record: 'CommandLineBinding' }] },
      'Arguments that belong to no input; texts, expressions or bindings.',
    ),
    stdin: text('Path of the file for the standard input, usually `$(inputs.name.path)`.'),
    stdout: text('Name of the file for the standard output.'),
    stderr: text('Name of the file for the standard error.'),
    successCodes: codes('Exit codes that mean success; 0 by default.'),
    temporaryFailCodes: codes('Exit codes after which it may work at a second try.'),
    permanentFailCodes: codes('Exit codes that mean failure; all but 0 by default.'),
  }),
  ExpressionTool: processRule(
    'A JavaScript expression that makes outputs of inputs.',
    'WorkflowInputParameter',
    'ExpressionToolOutputParameter',
    { expression: must('expression', 'Returns an object with the outputs.') },
  ),
  Workflow: processRule('Steps, and the links between them.', 'WorkflowInputParameter', 'WorkflowOutputParameter', {
    steps: must({ elements: 'WorkflowStep', subject: 'id' }, 'The steps; they run as soon as their inputs are there.'),
  }),
  Operation: processRule(
    'A step that is not yet made: inputs and outputs only. It can be checked, not run.',
    'WorkflowInputParameter',
    'OperationOutputParameter',
    {},
    'v1.2',
  ),
};

const stepRules: Record<string, RecordRule> = {
  WorkflowStep: {
    doc: 'A step of a workflow.',
    fields: {
      ...named,
      in: must({ elements: 'WorkflowStepInput', subject: 'id', predicate: 'source' }, 'Where the inputs come from.'),
      out: must({ list: ['string', { record: 'WorkflowStepOutput' }] }, 'The outputs that others may use.'),
      run: must('process', 'The process: a path or URI, `#id` in a packed document, or the process itself.'),
      requirements,
      hints,
      when: may('expression', 'The step is skipped, and its outputs are null, where this is false.', { since: 'v1.2' }),
      scatter: may(oneOrMore('string'), 'Inputs that take lists: the step runs for each item.'),
      scatterMethod: may(
        { symbols: ['dotproduct', 'nested_crossproduct', 'flat_crossproduct'] },
        'How several lists are combined: item by item, or each with each.',
      ),
      loop: may(
        { elements: 'LoopInput', subject: 'id', predicate: 'source' },
        'Inputs of the next round, from outputs of the last.',
        { since: 'v1.3.0-dev1' },
      ),
      outputMethod: may(
        { symbols: ['last', 'all', 'last_iteration', 'all_iterations'] },
        'Outputs of the last round, or of all.',
        {
          since: 'v1.3.0-dev1',
        },
      ),
    },
  },
  WorkflowStepInput: {
    doc: 'Where an input of a step comes from.',
    fields: {
      id: may('string', 'The name of the input.'),
      label: may('string', 'A short name, for people.', { since: 'v1.1' }),
      source: may(oneOrMore('string'), 'An input of the workflow, or `step/output`.'),
      linkMerge,
      pickValue,
      ...loading,
      default: may('any', 'The value where there is no source, or it gives null.'),
      valueFrom: may('string', 'A text or expression that makes the value; `self` is what the source gave.'),
    },
  },
  WorkflowStepOutput: { doc: 'An output of a step.', fields: { id: must('string', 'The name of the output.') } },
  LoopInput: {
    doc: 'An input of the next round.',
    since: 'v1.3.0-dev1',
    fields: {
      id: may('string', 'The name of the input.'),
      source: may(oneOrMore('string'), 'Outputs of this step in the last round.'),
      outputSource: may(oneOrMore('string'), 'The older name of `source`.'),
      loopSource: may(oneOrMore('string'), 'The oldest name of `source`.'),
      linkMerge,
      pickValue,
      default: may('any', 'The value where the source gives null.'),
      valueFrom: may('string', 'A text or expression that makes the value.'),
      ...loading,
    },
  },
};

export const processClasses = Object.keys(processRules);

/** Every kind of object in a document, by the name that the specification gives it. */
export const rules: Record<string, RecordRule> = {
  ...processRules,
  ...stepRules,
  ...parameterRules,
  ...requirementRules,
  ...requirementParts,
};
