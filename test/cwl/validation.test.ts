// Every rule of validation has a document, and the problem with its place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, tell } from './documents.ts';

/** A tool; `lines` come after its first four. */
const tool = (...lines: string[]) =>
  ['cwlVersion: v1.2', 'class: CommandLineTool', 'baseCommand: cat', ...lines].join('\n');
const cat = tool('inputs: {text: {type: File, inputBinding: {}}}', 'outputs: {out: stdout}');
const lister = tool('inputs: {texts: {type: "File[]", inputBinding: {}}}', 'outputs: {out: stdout}');
const optional = tool('inputs: {text: File?}', 'outputs: {out: {type: File?, outputBinding: {glob: x}}}');
const workflow = (...lines: string[]) => ['cwlVersion: v1.2', 'class: Workflow', ...lines].join('\n');

/** What is wrong → the documents, and the problems. */
const cases: Record<string, [files: string | Record<string, string>, ...problems: string[]]> = {
  'an unknown field': [
    tool('inputs: []', 'outputs: []', 'agruments: [a]'),
    'main.cwl:6:1 error cwl/unknown-field: A CommandLineTool has no field agruments. Did you mean arguments?',
  ],
  'an unknown field deep inside': [
    tool('inputs:', '  x:', '    type: string', '    inputBinding:', '      prefx: -x', 'outputs: []'),
    'main.cwl:8:7 error cwl/unknown-field: A CommandLineBinding has no field prefx. Did you mean prefix?',
  ],
  'a field without a near name lists all': [
    tool('inputs: []', 'outputs: []', 'hints: {DockerRequirement: {image: x}}'),
    'main.cwl:6:29 error cwl/unknown-field: A DockerRequirement has no field image. It has class, dockerPull, dockerLoad, dockerFile, dockerImport, dockerImageId, dockerOutputDirectory.',
  ],
  'a field of a newer version': [
    'cwlVersion: v1.0\nclass: CommandLineTool\nbaseCommand: a\nintent: [x]\ninputs: {a: {type: File, loadContents: true}}\noutputs: []',
    'main.cwl:4:1 error cwl/newer-field: intent came with cwlVersion v1.2; this document says v1.0.',
    'main.cwl:5:26 error cwl/newer-field: loadContents came with cwlVersion v1.1; this document says v1.0.',
  ],
  'a value of a newer version': [
    'cwlVersion: v1.1\nclass: CommandLineTool\nbaseCommand: a\ninputs: []\noutputs: []\nrequirements: {ResourceRequirement: {coresMin: 0.5}}',
    'main.cwl:6:48 error cwl/wrong-type: coresMin takes an integer or an expression such as $(inputs.x), not the number 0.5. From cwlVersion v1.2 on this is allowed.',
  ],
  'a prefix without a namespace': [
    tool('inputs: []', 'outputs: []', 's:author: me'),
    'main.cwl:6:1 warning cwl/unknown-prefix: The prefix s is not in $namespaces: nobody can know what s:author means.',
  ],
  'a missing field': [
    'cwlVersion: v1.2\nclass: Workflow\ninputs: []\noutputs: []',
    'main.cwl:1:1 error cwl/missing-field: A Workflow needs the field steps: a map or a list.',
  ],
  'a parameter without a type': [
    tool('inputs:', '  a: {doc: hello}', 'outputs: []'),
    'main.cwl:5:7 error cwl/missing-field: A CommandInputParameter needs the field type: a type.',
  ],
  'a wrong type': [
    tool('inputs: []', 'outputs: []', 'successCodes: zero'),
    'main.cwl:6:15 error cwl/wrong-type: successCodes takes a list of integers, not the string "zero".',
  ],
  'a wrong symbol': [
    workflow(
      'inputs: {a: "string[]"}',
      'outputs:',
      '  b: {type: string, outputSource: a, pickValue: first_nonnull}',
      'steps: []',
    ),
    'main.cwl:5:49 error cwl/wrong-type: pickValue takes one of first_non_null, the_only_non_null, all_non_null, not the string "first_nonnull". Did you mean first_non_null?',
    'main.cwl:5:35 error cwl/incompatible-types: a gives string[], but the output b takes string.',
  ],
  'text where only an expression has a meaning': [
    tool('inputs: []', 'outputs: {o: {type: int, outputBinding: {outputEval: self}}}'),
    'main.cwl:5:54 error cwl/wrong-type: outputEval takes an expression such as $(inputs.x), not the string "self".',
  ],
  'an unknown class': [
    'cwlVersion: v1.2\nclass: Workflw',
    'main.cwl:2:8 error cwl/unknown-class: There is no process class Workflw: CommandLineTool, ExpressionTool, Workflow, Operation. Did you mean Workflow?',
  ],
  'no class': [
    'cwlVersion: v1.2\ninputs: []',
    'main.cwl:1:1 error cwl/unknown-class: A process needs a class: CommandLineTool, ExpressionTool, Workflow, Operation.',
  ],
  'an unknown version': [
    'cwlVersion: v2.0\nclass: Workflow',
    'main.cwl:1:13 error cwl/version: The cwlVersion v2.0 is not known: use one of v1.0, v1.1, v1.2.',
  ],
  'no version': [
    'class: Workflow',
    'main.cwl:1:1 error cwl/version: The document says no cwlVersion: use one of v1.0, v1.1, v1.2.',
  ],
  'an unknown type': [
    tool('inputs: {a: {type: "Fil[]"}}', 'outputs: []'),
    'main.cwl:4:20 error cwl/unknown-type: There is no type Fil. Did you mean File?',
  ],
  'a type of the wrong form': [
    tool('inputs: {a: {type: {type: arry, items: int}}}', 'outputs: []'),
    'main.cwl:4:27 error cwl/wrong-type: A type that is a map needs the field type: one of record, enum, array. Did you mean array?',
    'main.cwl:4:27 error cwl/unknown-type: There is no type arry.',
  ],
  'a type that contains itself': [
    tool(
      'requirements:',
      '  SchemaDefRequirement:',
      '    types:',
      '      - {name: R, type: record, fields: {next: R?}}',
      'inputs: {a: "#R"}',
      'outputs: []',
    ),
    'main.cwl:7:9 error cwl/recursive-type: This type contains itself.',
  ],
  'stdout where no stream is': [
    'cwlVersion: v1.2\nclass: ExpressionTool\nexpression: $(null)\ninputs: []\noutputs: {o: stdout}',
    'main.cwl:5:14 error cwl/wrong-type: The type stdout is known only in a CommandLineTool.',
  ],
  'stdout with a binding': [
    tool('inputs: []', 'outputs: {o: {type: stdout, outputBinding: {glob: x}}}'),
    'main.cwl:5:29 error cwl/conflict: A parameter of type stdout has no outputBinding.',
  ],
  'two standard inputs': [
    tool('inputs: {a: stdin}', 'outputs: []', 'stdin: b'),
    'main.cwl:6:1 error cwl/conflict: The standard input is an input of type stdin already.',
  ],
  'a folder in stdout': [
    tool('inputs: []', 'outputs: []', 'stdout: a/b'),
    'main.cwl:6:9 error cwl/wrong-value: stdout takes the name of a file, without a folder.',
  ],
  'a default of the wrong type': [
    tool('inputs: {n: {type: int, default: many}}', 'outputs: []'),
    'main.cwl:4:34 error cwl/wrong-type: The default of n takes int, not the string "many".',
  ],
  'a negative time limit': [
    tool('inputs: []', 'outputs: []', 'requirements:', '  ToolTimeLimit: {timelimit: -1}'),
    'main.cwl:7:18 error cwl/wrong-value: timelimit takes a number of seconds that is not negative, not -1.',
  ],
  'nothing to run': [
    'cwlVersion: v1.2\nclass: CommandLineTool\ninputs: []\noutputs: []',
    'main.cwl:2:8 warning cwl/no-command: Nothing says what to run: there is neither a baseCommand nor an argument nor an inputBinding.',
  ],
  'an output from nowhere': [
    tool('inputs: []', 'outputs: {o: {type: File}}'),
    'main.cwl:5:15 information cwl/no-binding: Nothing says where the output o (File) comes from: it has no outputBinding. Unless the tool writes cwl.output.json, this fails.',
  ],
  'a field given twice': [
    tool('inputs: []', 'outputs: []', 'stdout: a', 'stdout: b'),
    'main.cwl:7:1 error cwl/duplicate-field: The field stdout is given twice.',
  ],
  'an id given twice': [
    tool('inputs:', '  - {id: a, type: int}', '  - {id: "#a", type: int}', 'outputs: []'),
    'main.cwl:6:10 error cwl/duplicate: a is among inputs already.',
  ],
  'a requirement given twice': [
    tool(
      'inputs: []',
      'outputs: []',
      'hints:',
      '  - class: WorkReuse',
      '    enableReuse: true',
      '  - class: WorkReuse',
      '    enableReuse: false',
    ),
    'main.cwl:9:12 error cwl/duplicate: WorkReuse is given twice.',
  ],
  'an unknown requirement': [
    tool('inputs: []', 'outputs: []', 'requirements: {DockerRequirment: {}}'),
    'main.cwl:6:16 error cwl/unknown-requirement: There is no requirement DockerRequirment. Did you mean DockerRequirement?',
  ],
  'an unknown hint': [
    tool('inputs: []', 'outputs: []', 'hints: {DockerRequirment: {}}'),
    'main.cwl:6:9 warning cwl/unknown-requirement: There is no requirement DockerRequirment. Did you mean DockerRequirement? It is ignored.',
  ],
  'an unknown extension among requirements': [
    tool('inputs: []', 'outputs: []', '$namespaces: {x: "http://x.org/"}', 'requirements: {"x:Magic": {}}'),
    'main.cwl:7:16 error cwl/unknown-requirement: There is no requirement http://x.org/Magic.',
  ],
  'a requirement of a newer version': [
    'cwlVersion: v1.0\nclass: CommandLineTool\nbaseCommand: a\ninputs: []\noutputs: []\nrequirements: {NetworkAccess: {networkAccess: true}}',
    'main.cwl:6:16 error cwl/unknown-requirement: NetworkAccess came with cwlVersion v1.1; this document says v1.0.',
  ],
  'a link that leads nowhere': [
    {
      'main.cwl': workflow(
        'inputs: {frist: File}',
        'outputs: {o: {type: File, outputSource: s/uot}}',
        'steps:',
        '  s: {run: cat.cwl, in: {text: first}, out: [out]}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:4:41 error cwl/unresolved-link: There is no workflow input or step output s/uot. Did you mean s/out?',
    'main.cwl:6:32 error cwl/unresolved-link: There is no workflow input or step output first. Did you mean frist?',
  ],
  'a link to a step instead of its output': [
    {
      'main.cwl': workflow(
        'inputs: {f: File}',
        'outputs: {o: {type: File, outputSource: s}}',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: [out]}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:4:41 error cwl/unresolved-link: There is no workflow input or step output s. Did you mean s/out?',
  ],
  'a link to an output that is not passed on': [
    {
      'main.cwl': workflow(
        'inputs: {f: File}',
        'outputs: {o: {type: File, outputSource: s/out}}',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: []}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:4:41 error cwl/unresolved-link: There is no workflow input or step output s/out. Step s does not pass it on: add out to its out.',
  ],
  'an output that the process does not have': [
    {
      'main.cwl': workflow(
        'inputs: {f: File}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: [oot]}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:6:42 error cwl/unknown-output: What step s runs has no output oot. Did you mean out?',
  ],
  'an output without a source': [
    workflow('inputs: []', 'outputs: {o: File}', 'steps: []'),
    'main.cwl:4:11 warning cwl/no-source: The output o has no outputSource: it will always be null.',
  ],
  'a missing step input': [
    {
      'main.cwl': workflow('inputs: []', 'outputs: []', 'steps:', '  s: {run: cat.cwl, in: {}, out: [out]}'),
      'cat.cwl': cat,
    },
    'main.cwl:6:21 error cwl/missing-step-input: Step s gives no value for text, which takes File.',
  ],
  'an input that nothing uses': [
    {
      'main.cwl': workflow(
        'inputs: {f: File}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f, txt: f}, out: []}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:6:35 information cwl/unused-input: What step s runs has no input txt, and no expression uses it. Did you mean text?',
  ],
  'a file that is not there': [
    workflow('inputs: []', 'outputs: []', 'steps:', '  s: {run: lost.cwl, in: {}, out: [x]}'),
    'main.cwl:6:12 error cwl/not-found: lost.cwl does not exist.',
  ],
  'a step that runs nothing': [
    {
      'main.cwl': workflow('inputs: []', 'outputs: []', 'steps:', '  s: {run: empty.cwl, in: {}, out: []}'),
      'empty.cwl': '# later\n',
    },
    'main.cwl:6:12 error cwl/empty: There is nothing in empty.cwl.',
  ],
  'a step that runs what is no process': [
    {
      'main.cwl': workflow('inputs: []', 'outputs: []', 'steps:', '  s: {run: text.cwl, in: {}, out: []}'),
      'text.cwl': 'hello',
    },
    'text.cwl:1:1 error cwl/wrong-type: This is no process, which is a map with a class and a cwlVersion.',
  ],
  'a step that runs broken YAML': [
    {
      'main.cwl': workflow('inputs: []', 'outputs: []', 'steps:', '  s: {run: broken.cwl, in: {}, out: []}'),
      'broken.cwl': 'a: [\n',
    },
    'broken.cwl:2:1 error cwl/syntax: This is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  'incompatible types': [
    {
      'main.cwl': workflow('inputs: {n: int}', 'outputs: []', 'steps:', '  s: {run: cat.cwl, in: {text: n}, out: []}'),
      'cat.cwl': cat,
    },
    'main.cwl:6:32 error cwl/incompatible-types: n gives int, but the input text of step s takes File.',
  ],
  'a list where one is taken': [
    {
      'main.cwl': workflow(
        'inputs: {fs: "File[]"}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: fs}, out: []}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:6:32 error cwl/incompatible-types: fs gives File[], but the input text of step s takes File. Add it to the scatter of the step to run it for each item.',
  ],
  'one where a scatter takes a list': [
    {
      'main.cwl': workflow(
        'requirements: {ScatterFeatureRequirement: {}}',
        'inputs: {f: File}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: [], scatter: text}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:7:32 error cwl/incompatible-types: f gives File, but the input text of step s takes File[].',
  ],
  'the list that a scatter gives': [
    {
      'main.cwl': workflow(
        'requirements: {ScatterFeatureRequirement: {}}',
        'inputs: {fs: "File[]"}',
        'outputs: {o: {type: File, outputSource: s/out}}',
        'steps:',
        '  s: {run: cat.cwl, in: {text: fs}, out: [out], scatter: text}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:5:41 error cwl/incompatible-types: s/out gives File[], but the output o takes File.',
  ],
  'several sources that make a list': [
    {
      'main.cwl': workflow(
        'requirements: {MultipleInputFeatureRequirement: {}}',
        'inputs: {a: File, b: File}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: [a, b]}, out: []}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:7:32 error cwl/incompatible-types: a and b together give File[], but the input text of step s takes File. Add it to the scatter of the step to run it for each item.',
  ],
  'lists that are nested where they should be flat': [
    {
      'main.cwl': workflow(
        'requirements: {MultipleInputFeatureRequirement: {}}',
        'inputs: {a: "File[]", b: "File[]"}',
        'outputs: []',
        'steps:',
        '  s: {run: list.cwl, in: {texts: [a, b]}, out: []}',
      ),
      'list.cwl': lister,
    },
    'main.cwl:7:34 error cwl/incompatible-types: a and b together give File[][], but the input texts of step s takes File[]. Add it to the scatter of the step to run it for each item.',
  ],
  'what may be null': [
    {
      'main.cwl': workflow(
        'inputs: {f: File?}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: []}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:6:32 warning cwl/may-be-null: f gives File?, but the input text of step s takes File. The run fails if it is null.',
  ],
  'a skipped step that gives null': [
    {
      'main.cwl': workflow(
        'inputs: {f: File}',
        'outputs: {o: {type: File, outputSource: s/out}}',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: [out], when: $(false)}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:4:41 warning cwl/may-be-null: s/out gives File?, but the output o takes File. The run fails if it is null.',
  ],
  'a choice of which not all fit': [
    {
      'main.cwl': workflow(
        'inputs: {f: [File, string]}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: []}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:6:32 warning cwl/may-not-fit: f gives File or string, but the input text of step s takes File. Not every value fits.',
  ],
  'a circle of steps': [
    {
      'main.cwl': workflow(
        'inputs: []',
        'outputs: []',
        'steps:',
        '  a: {run: cat.cwl, in: {text: b/out}, out: [out]}',
        '  b: {run: cat.cwl, in: {text: a/out}, out: [out]}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:6:7 error cwl/cycle: These steps wait for each other for ever: a → b → a.',
  ],
  'a scatter over nothing': [
    {
      'main.cwl': workflow(
        'requirements: {ScatterFeatureRequirement: {}}',
        'inputs: {f: File}',
        'outputs: []',
        'steps:',
        '  s: {run: cat.cwl, in: {text: f}, out: [], scatter: txet}',
      ),
      'cat.cwl': cat,
    },
    'main.cwl:7:54 error cwl/unknown-scatter: Step s has no input txet to scatter over. Did you mean text?',
  ],
  'a scatter without a method': [
    {
      'main.cwl': workflow(
        'requirements: {ScatterFeatureRequirement: {}}',
        'inputs: {f: "File[]"}',
        'outputs: []',
        'steps:',
        '  s: {run: two.cwl, in: {a: f, b: f}, out: [], scatter: [a, b]}',
      ),
      'two.cwl': tool('inputs: {a: File, b: File}', 'outputs: []'),
    },
    'main.cwl:7:57 error cwl/no-scatter-method: A scatter over several inputs needs a scatterMethod: dotproduct, nested_crossproduct or flat_crossproduct.',
  ],
  'features that were not asked for': [
    {
      'main.cwl': workflow(
        'inputs: {fs: "File[]", a: File}',
        'outputs: {o: {type: Any, outputSource: [a, fs]}}',
        'steps:',
        '  sub: {run: sub.cwl, in: {}, out: []}',
        '  each: {run: cat.cwl, in: {text: fs}, out: [], scatter: text}',
        '  many: {run: list.cwl, in: {texts: [a, a]}, out: []}',
        '  made: {run: cat.cwl, in: {text: {source: a, valueFrom: $(self)}}, out: []}',
      ),
      'sub.cwl': workflow('inputs: []', 'outputs: []', 'steps: []'),
      'cat.cwl': cat,
      'list.cwl': lister,
    },
    'main.cwl:4:26 error cwl/missing-requirement: Several sources need MultipleInputFeatureRequirement among the requirements of the workflow.',
    'main.cwl:6:9 error cwl/missing-requirement: A workflow as a step needs SubworkflowFeatureRequirement among the requirements of the workflow.',
    'main.cwl:7:49 error cwl/missing-requirement: A scatter needs ScatterFeatureRequirement among the requirements of the workflow.',
    'main.cwl:8:30 error cwl/missing-requirement: Several sources need MultipleInputFeatureRequirement among the requirements of the workflow.',
    'main.cwl:9:47 error cwl/missing-requirement: valueFrom in a step needs StepInputExpressionRequirement among the requirements of the workflow.',
  ],
  'a workflow that runs itself': [
    workflow(
      'requirements: {SubworkflowFeatureRequirement: {}}',
      'inputs: []',
      'outputs: []',
      'steps:',
      '  again: {run: main.cwl, in: {}, out: []}',
    ),
    'main.cwl:1:1 error cwl/recursive: This workflow runs itself, directly or through others.',
  ],
  'a packed document without main': [
    'cwlVersion: v1.2\n$graph:\n- {id: a, class: Workflow, inputs: [], outputs: [], steps: []}\n- {id: b, class: Workflow, inputs: [], outputs: [], steps: []}',
    'main.cwl:1:1 error cwl/no-main: There is no process with the id main: say which one, as in FILE#ID. Here are a, b.',
  ],
  'an import that is not there': [
    tool('inputs: {$import: lost.yml}', 'outputs: []'),
    'main.cwl:4:19 error cwl/not-found: lost.yml does not exist.',
  ],
  'imports that never end': [
    {
      'main.cwl': tool('inputs: {$import: a.yml}', 'outputs: []'),
      'a.yml': '- $import: b.yml',
      'b.yml': '- $import: a.yml',
    },
    'b.yml:1:12 error cwl/import-cycle: a.yml is being imported already: this would never end.',
  ],
  'broken YAML': [
    'cwlVersion: v1.2\nclass: [Workflow\n',
    'main.cwl:3:1 error cwl/syntax: This is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  'an empty document': ['# nothing\n', 'main.cwl:1:1 error cwl/empty: The document is empty.'],
  'an alias without an anchor': [
    'cwlVersion: *v\n',
    'main.cwl:1:13 error cwl/alias: There is no anchor &v before this.',
  ],
  'JavaScript that is not asked for': [
    tool(
      'inputs: {a: int}',
      'outputs: {o: {type: int, outputBinding: {outputEval: $(1 + 1)}}}',
      'arguments: [$(inputs.a), \\$(date +%s), "x $(inputs.a + 1)"]',
    ),
    'main.cwl:5:54 warning cwl/no-javascript: This is JavaScript, which needs InlineJavascriptRequirement among the requirements.',
    'main.cwl:6:40 warning cwl/no-javascript: This is JavaScript, which needs InlineJavascriptRequirement among the requirements.',
  ],
  'an expression that does not end': [
    tool('inputs: {a: int}', 'outputs: []', 'arguments: ["x $(inputs.a", "\\\\$(not one", "$(inputs.a) ${a"]'),
    'main.cwl:6:13 warning cwl/unclosed-expression: An expression begins here and does not end, so that it is text. If that is meant, write a \\ before the $.',
    'main.cwl:6:44 warning cwl/unclosed-expression: An expression begins here and does not end, so that it is text. If that is meant, write a \\ before the $.',
  ],
  'JavaScript that the workflow asks for': [
    {
      'main.cwl': workflow(
        'requirements: {InlineJavascriptRequirement: {}}',
        'inputs: []',
        'outputs: []',
        'steps:',
        '  s: {run: js.cwl, in: {}, out: []}',
      ),
      'js.cwl': tool('inputs: []', 'outputs: []', 'arguments: [$(1 + 1)]'),
    },
  ],
  'a binding on the output of a workflow': [
    workflow('inputs: {a: File}', 'outputs: {b: {type: File, outputSource: a, outputBinding: {}}}', 'steps: []'),
    'main.cwl:4:44 error cwl/unknown-field: A WorkflowOutputParameter has no field outputBinding. It has id, label, doc, type, secondaryFiles, streamable, format, outputSource, linkMerge, pickValue.',
  ],
  'the same in version 1.0, where it is allowed': [
    workflow(
      'inputs: {a: File}',
      'outputs: {b: {type: File, outputSource: a, outputBinding: {}}}',
      'steps: []',
    ).replace('v1.2', 'v1.0'),
  ],
  'an output with the name of an input is fine': [tool('inputs: {a: int}', 'outputs: {a: stdout}')],
  'processes with one name, or none': [
    'cwlVersion: v1.2\n$graph:\n- {id: main, class: Workflow, inputs: [], outputs: [], steps: []}\n- {id: "#main", class: Workflow, inputs: [], outputs: [], steps: []}\n- {class: Workflow, inputs: [], outputs: [], steps: []}',
    'main.cwl:4:8 error cwl/duplicate: There is a process main already.',
    'main.cwl:5:3 error cwl/missing-field: A process in a $graph needs an id.',
  ],
  'stdin before it was known': [
    tool('inputs: {a: stdin}', 'outputs: []').replace('v1.2', 'v1.0'),
    'main.cwl:4:13 error cwl/wrong-type: The type stdin is known only from cwlVersion v1.1 on.',
  ],
  'optional inputs need nothing': [
    {
      'main.cwl': workflow('inputs: []', 'outputs: []', 'steps:', '  s: {run: optional.cwl, in: {}, out: [out]}'),
      'optional.cwl': optional,
    },
  ],
  'extensions with a namespace are allowed': [
    tool(
      'inputs: []',
      'outputs: []',
      '$namespaces: {s: "https://schema.org/"}',
      's:author: me',
      'hints: {"s:Thing": {s:x: 1}}',
    ),
  ],
};

for (const [name, [files, ...expected]] of Object.entries(cases)) {
  test(name, async () => {
    const { problems, process } = await load(files);
    assert.deepEqual(problems.map(tell).sort(), [...expected].sort());
    assert.equal(
      process === undefined,
      problems.some(problem => problem.severity === 'error'),
    );
  });
}
