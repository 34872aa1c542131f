import { type FieldRule, may, must, oneOrMore, type RecordRule } from './schema.ts';

const label: FieldRule = may('string', 'A short name, for people.');
const doc: FieldRule = may(
  ['string', { list: 'string' }],
  'A description, for people; a list is joined as paragraphs.',
);
const id: FieldRule = may('string', 'The name; unique in its process.');
const type: FieldRule = must(
  'type',
  'The type of the value: `string`, `int`, `File`, `Directory`, `boolean`, ...; `T?` is optional, `T[]` a list; or a record, enum or array.',
);
export const common = { label, doc };
export const named = { id, label, doc };

const fileRules: Record<string, FieldRule> = {
  secondaryFiles: may(
    oneOrMore('secondaryFile'),
    'Files that belong to each File: `.bai` is appended to its name, `^.bai` replaces the extension, `.bai?` may be missing.',
  ),
  streamable: may('boolean', 'The file is read or written once, from start to end.'),
};
const inputFormat = may(oneOrMore('string'), 'IRI of the file format, or several that are allowed.');
const outputFormat = may('string', 'IRI of the file format, or an expression for it.');
const loading: Record<string, FieldRule> = {
  loadContents: may('boolean', 'Put the text of the File (at most 64 KiB) into its `contents`.', { since: 'v1.1' }),
  loadListing: may(
    { symbols: ['no_listing', 'shallow_listing', 'deep_listing'] },
    'How much of a Directory is put into its `listing`.',
    { since: 'v1.1' },
  ),
};
const inputBinding = may({ record: 'CommandLineBinding' }, 'How the value becomes part of the command line.');
const outputBinding = may({ record: 'CommandOutputBinding' }, 'How the value is found when the tool has ended.');
const inputShared = {
  ...named,
  type,
  ...fileRules,
  format: inputFormat,
  ...loading,
  default: may('any', 'The value where none, or null, is given.'),
};
const outputShared = { ...named, type, ...fileRules, format: outputFormat };
/** Version 1.0 lets every output have a binding, but only those of tools mean anything. */
const idle = { outputBinding: may('any', 'Has no effect here.', { until: 'v1.0' }) };
export const linkMerge = may(
  { symbols: ['merge_nested', 'merge_flattened'] },
  'How several sources become one list: an item for each, or all their items in one.',
);
export const pickValue = may(
  { symbols: ['first_non_null', 'the_only_non_null', 'all_non_null'] },
  'Which of the values that are not null to take.',
  { since: 'v1.2' },
);
export { loading };

/** Parameters, their types and bindings (CWL v1.2, CommandLineTool §CommandInputParameter and following). */
export const parameterRules: Record<string, RecordRule> = {
  CommandInputParameter: { doc: 'An input of a tool.', fields: { ...inputShared, inputBinding } },
  WorkflowInputParameter: {
    doc: 'An input of a workflow or expression.',
    fields: {
      ...inputShared,
      inputBinding: may({ record: 'InputBinding' }, 'Deprecated: only its `loadContents` counts.'),
    },
  },
  CommandOutputParameter: { doc: 'An output of a tool.', fields: { ...outputShared, outputBinding } },
  ExpressionToolOutputParameter: { doc: 'An output of an expression.', fields: { ...outputShared, ...idle } },
  OperationOutputParameter: { doc: 'An output of an operation.', fields: { ...outputShared, ...idle } },
  WorkflowOutputParameter: {
    doc: 'An output of a workflow.',
    fields: {
      ...outputShared,
      ...idle,
      outputSource: may(oneOrMore('string'), 'Where it comes from: `step/output`, or an input of the workflow.'),
      linkMerge,
      pickValue,
    },
  },
  RecordSchema: {
    doc: 'A type with named fields.',
    fields: {
      type: must({ symbols: ['record'] }, 'Always `record`.'),
      name: may('string', 'The name by which other types refer to it.'),
      fields: may({ elements: 'RecordField', subject: 'name', predicate: 'type' }, 'The fields, each with its type.'),
      ...common,
      inputBinding,
    },
  },
  RecordField: {
    doc: 'A field of a record type.',
    fields: {
      name: may('string', 'The name of the field.'),
      type,
      ...common,
      ...Object.fromEntries(
        Object.entries(fileRules).map(([name, rule]) => [name, { ...rule, since: 'v1.1' as const }]),
      ),
      format: { ...inputFormat, since: 'v1.1' },
      ...loading,
      inputBinding,
      outputBinding,
    },
  },
  EnumSchema: {
    doc: 'A type with a fixed choice of strings.',
    fields: {
      type: must({ symbols: ['enum'] }, 'Always `enum`.'),
      name: may('string', 'The name by which other types refer to it.'),
      symbols: must({ list: 'string' }, 'The strings to choose from.'),
      ...common,
      inputBinding,
      outputBinding,
    },
  },
  ArraySchema: {
    doc: 'A list.',
    fields: {
      type: must({ symbols: ['array'] }, 'Always `array`.'),
      items: must('type', 'The type of each item.'),
      name: may('string', 'The name by which other types refer to it.'),
      ...common,
      inputBinding,
      outputBinding,
    },
  },
  InputBinding: {
    doc: 'Deprecated on workflow inputs.',
    fields: { loadContents: may('boolean', 'Put the text of the File (at most 64 KiB) into its `contents`.') },
  },
  CommandLineBinding: {
    doc: 'How a value becomes part of the command line.',
    fields: {
      position: may('int', 'Its place: lower ones come first; 0 by default.', {
        later: { since: 'v1.1', shapes: ['expression'] },
      }),
      prefix: may('string', 'The option in front of the value, such as `--threads`.'),
      separate: may('boolean', 'Whether prefix and value are two arguments (true, the default) or one.'),
      itemSeparator: may('string', 'Joins the items of a list into one argument.'),
      valueFrom: may('string', 'A text or expression that takes the place of the value; `self` is the value.'),
      shellQuote: may('boolean', 'With ShellCommandRequirement: false leaves the text for the shell to interpret.'),
      loadContents: may('boolean', 'Deprecated: use `loadContents` of the parameter.'),
    },
  },
  CommandOutputBinding: {
    doc: 'How an output is found when the tool has ended.',
    fields: {
      glob: may(oneOrMore('string'), 'Names or patterns of files in the output folder, or an expression for them.'),
      ...loading,
      loadContents: may('boolean', 'Put the text of the File (at most 64 KiB) into its `contents`.'),
      outputEval: may('expression', 'An expression for the value; `self` is the list of files found.'),
    },
  },
  SecondaryFileSchema: {
    doc: 'A file that belongs to another.',
    since: 'v1.1',
    fields: {
      pattern: must('string', 'What to append to the name of the file, or an expression.'),
      required: may(['boolean', 'expression'], 'Whether it is an error if it is missing.'),
    },
  },
  File: {
    doc: 'A file.',
    fields: {
      class: must({ symbols: ['File'] }, 'Always `File`.'),
      location: may('string', 'Its URI, or a reference relative to this document.'),
      path: may('string', 'Its path on this host, or relative to this document.'),
      basename: may('string', 'The name under which the tool sees it.'),
      dirname: may('string', 'The folder in which it is staged.'),
      nameroot: may('string', 'The name without its extension.'),
      nameext: may('string', 'The extension of the name.'),
      checksum: may('string', '`sha1$` and the SHA-1 of its content.'),
      size: may('int', 'Its size in bytes.'),
      secondaryFiles: may({ list: 'file' }, 'Files that are staged beside it.'),
      format: may('string', 'IRI of its format.'),
      contents: may('string', 'Its text: a file that exists nowhere yet.'),
    },
  },
  Directory: {
    doc: 'A folder.',
    fields: {
      class: must({ symbols: ['Directory'] }, 'Always `Directory`.'),
      location: may('string', 'Its URI, or a reference relative to this document.'),
      path: may('string', 'Its path on this host, or relative to this document.'),
      basename: may('string', 'The name under which the tool sees it.'),
      listing: may({ list: 'file' }, 'What is in it.'),
    },
  },
};
