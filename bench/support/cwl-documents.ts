// The documents that the benchmark of the runner runs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const image = 'localhost/bench/busybox:1';

/** Writes them into `folder`; all are CWL v1.2, as JSON. */
export function writeDocuments(folder: string): void {
  const write = (name: string, value: unknown) =>
    writeFileSync(join(folder, name), JSON.stringify(value, undefined, 1));
  const words = (count: number) => ({ words: Array.from({ length: count }, (_, number) => `word${number}`) });
  write('tool.cwl', echo);
  write('image-tool.cwl', { ...echo, requirements: { DockerRequirement: { dockerPull: image } } });
  write('scatter.cwl', scatterOf('tool.cwl'));
  write('image-scatter.cwl', scatterOf('image-tool.cwl'));
  write('chain.cwl', chainOf(50));
  write('expressions-tool.cwl', expressionTool);
  write('expressions.cwl', expressions);
  for (const count of [10, 500, 1000, 10_000]) write(`words-${count}.json`, words(count));
  write('numbers.json', { stem: 'sample-of-many', numbers: Array.from({ length: 200 }, (_, number) => number) });
  for (let kind = 0; kind < 30; kind++) write(`kind-${kind}.cwl`, bigTool(kind));
  write('big.cwl', bigWorkflow(300));
}

const echo = {
  cwlVersion: 'v1.2',
  class: 'CommandLineTool',
  baseCommand: '/bin/echo',
  stdout: 'out.txt',
  inputs: { word: { type: 'string', default: 'hello', inputBinding: { position: 1 } }, after: 'File?' },
  outputs: { out: 'stdout' },
};

function scatterOf(tool: string) {
  return {
    cwlVersion: 'v1.2',
    class: 'Workflow',
    requirements: { ScatterFeatureRequirement: {} },
    inputs: { words: 'string[]' },
    steps: { say: { run: tool, scatter: 'word', in: { word: 'words' }, out: ['out'] } },
    outputs: { all: { type: 'File[]', outputSource: 'say/out' } },
  };
}

function chainOf(length: number) {
  const step = (number: number) => [
    `s${number}`,
    { run: 'tool.cwl', in: number > 0 ? { after: `s${number - 1}/out` } : {}, out: ['out'] },
  ];
  return {
    cwlVersion: 'v1.2',
    class: 'Workflow',
    inputs: {},
    steps: Object.fromEntries(Array.from({ length }, (_, number) => step(number))),
    outputs: { last: { type: 'File', outputSource: `s${length - 1}/out` } },
  };
}

/** Expressions in `arguments`, `stdout`, `glob` and `outputEval`, with a library. */
const expressionTool = {
  cwlVersion: 'v1.2',
  class: 'CommandLineTool',
  requirements: {
    InlineJavascriptRequirement: {
      expressionLib: ['function digits(n) { var s = String(n); while (s.length < 5) s = "0" + s; return s; }'],
    },
  },
  baseCommand: '/bin/echo',
  arguments: [
    { valueFrom: '$(digits(inputs.number))' },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is CWL's function body.
    { valueFrom: '${ var sum = 0; for (var i = 0; i < 100; i++) sum += i * inputs.number; return sum; }' },
    { valueFrom: '$(inputs.title.split("-").map(function (part) { return part.toUpperCase(); }).join("_"))' },
  ],
  stdout: '$(digits(inputs.number)).txt',
  inputs: { number: 'int', title: 'string' },
  outputs: {
    out: 'stdout',
    length: {
      type: 'int',
      outputBinding: {
        glob: '$(digits(inputs.number) + ".txt")',
        loadContents: true,
        outputEval: '$(self[0].contents.length)',
      },
    },
  },
};

const expressions = {
  cwlVersion: 'v1.2',
  class: 'Workflow',
  requirements: { ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}, InlineJavascriptRequirement: {} },
  inputs: { numbers: 'int[]', stem: 'string' },
  steps: {
    say: {
      run: 'expressions-tool.cwl',
      scatter: 'number',
      in: { number: 'numbers', title: { source: 'stem', valueFrom: '$(self + "-" + inputs.number)' } },
      out: ['out', 'length'],
    },
  },
  outputs: {
    all: { type: 'File[]', outputSource: 'say/out' },
    lengths: { type: 'int[]', outputSource: 'say/length' },
  },
};

/** A tool as people write them: twenty inputs with bindings, files with secondary files, some documentation. */
function bigTool(kind: number) {
  const input = (number: number) => [
    `option_${number}`,
    {
      type: 'int?',
      doc: `What option ${number} is for.`,
      inputBinding: { prefix: `--option-${number}`, position: number },
    },
  ];
  return {
    cwlVersion: 'v1.2',
    class: 'CommandLineTool',
    label: `Kind ${kind}`,
    baseCommand: ['work', `kind${kind}`],
    requirements: { ResourceRequirement: { coresMin: 1, ramMin: 512 } },
    inputs: {
      reads: { type: 'File', secondaryFiles: ['.bai?', '^.idx?'], inputBinding: { position: 100 } },
      ...Object.fromEntries(Array.from({ length: 19 }, (_, number) => input(number))),
    },
    outputs: { out: { type: 'File', outputBinding: { glob: `kind${kind}.*` } } },
  };
}

function bigWorkflow(length: number) {
  const step = (number: number) => [
    `s${number}`,
    {
      run: `kind-${number % 30}.cwl`,
      in: { reads: number > 0 ? `s${number - 1}/out` : 'reads', option_1: 'size', option_2: { default: number } },
      out: ['out'],
    },
  ];
  return {
    cwlVersion: 'v1.2',
    class: 'Workflow',
    inputs: { reads: 'File', size: 'int?' },
    steps: Object.fromEntries(Array.from({ length }, (_, number) => step(number))),
    outputs: { last: { type: 'File', outputSource: `s${length - 1}/out` } },
  };
}
