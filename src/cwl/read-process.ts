import type {
  CommandLineTool,
  ExpressionTool,
  InputBinding,
  Operation,
  Process,
  Requirement,
  Version,
  Workflow,
} from './model.ts';
import { fieldOf, itemsOf, type MapNode, type Node, placeOf, textOf } from './node.ts';
import { expandPrefix } from './parse-text.ts';
import { readInputBinding } from './read-binding.ts';
import { readInputs, readOutputs } from './read-parameter.ts';
import { readRequirements } from './read-requirement.ts';
import { readWorkflow } from './read-workflow.ts';
import { docOf, type Reading, scalarOf, stringOf, stringsOf } from './reading.ts';
import { resolveUri } from './uri.ts';

/** What a workflow needs to read the processes of its steps. */
export type FindProcess = (run: Node, id: string, reading: Reading) => Process | undefined;
export type ProcessBase = Omit<Operation, 'class' | 'outputs'>;

/** The process that `node` describes; undefined where it has no class of a process. */
export function readProcess(node: MapNode, id: string, outer: Reading, find: FindProcess): Process | undefined {
  const reading: Reading = { ...outer, types: new Map(outer.types) };
  const name = stringOf(node, 'class');
  // Types first: parameters refer to them.
  const { known, unknown } = readRequirements(fieldOf(node, 'requirements'), reading);
  const hints = readRequirements(fieldOf(node, 'hints'), reading);
  const place = placeOf(node);
  const base: ProcessBase = {
    id,
    cwlVersion: reading.version,
    label: stringOf(node, 'label'),
    doc: docOf(node),
    intent: stringsOf(node, 'intent').map(text => expandPrefix(node.source, text)),
    inputs: readInputs(fieldOf(node, 'inputs'), reading),
    requirements: known,
    hints: [...hints.known, ...inheritedDefaults(reading.version, [...known, ...hints.known], place)],
    unknownHints: [...unknown, ...hints.unknown].map(each => ({ class: each.class, place: placeOf(each.node) })),
    schemas: itemsOf(fieldOf(reading.library.root(node.source.uri), '$schemas')).flatMap(item => {
      const reference = textOf(item);
      return reference === undefined ? [] : [resolveUri(item.source.base, reference)];
    }),
    place,
  };
  const process = readClass(name, node, base, reading, find);
  if (process) reading.origins.set(process, node);
  return process;
}

function readClass(
  name: string | undefined,
  node: MapNode,
  base: ProcessBase,
  reading: Reading,
  find: FindProcess,
): Process | undefined {
  if (name === 'CommandLineTool') return readTool(node, base, reading);
  if (name === 'Workflow') return readWorkflow(node, base, reading, find) satisfies Workflow;
  const outputs = () => readOutputs(fieldOf(node, 'outputs'), reading);
  if (name === 'Operation') return { class: 'Operation', ...base, outputs: outputs() };
  if (name !== 'ExpressionTool') return undefined;
  const expression = fieldOf(node, 'expression');
  return {
    class: 'ExpressionTool',
    ...base,
    outputs: outputs(),
    expression: textOf(expression) ?? '',
    expressionPlace: placeOf(expression ?? node),
  } satisfies ExpressionTool;
}

/** What v1.0 did before v1.1 made it a choice: listings are loaded whole, and tools reach the network. */
function inheritedDefaults(version: Version, own: Requirement[], place: Requirement['place']): Requirement[] {
  if (version !== 'v1.0') return [];
  const defaults: Requirement[] = [
    { class: 'LoadListingRequirement', loadListing: 'deep_listing', place },
    { class: 'NetworkAccess', networkAccess: true, place },
  ];
  return defaults.filter(each => !own.some(other => other.class === each.class));
}

function readTool(node: MapNode, base: ProcessBase, reading: Reading): CommandLineTool {
  const tool: CommandLineTool = {
    class: 'CommandLineTool',
    ...base,
    outputs: readOutputs(fieldOf(node, 'outputs'), reading),
    baseCommand: stringsOf(node, 'baseCommand'),
    arguments: itemsOf(fieldOf(node, 'arguments')).map(item => readArgument(item)),
    stdin: stringOf(node, 'stdin'),
    stdout: stringOf(node, 'stdout'),
    stderr: stringOf(node, 'stderr'),
    successCodes: numbersOf(node, 'successCodes'),
    temporaryFailCodes: numbersOf(node, 'temporaryFailCodes'),
    permanentFailCodes: numbersOf(node, 'permanentFailCodes'),
  };
  expandStreams(tool, node, reading);
  return tool;
}

function readArgument(item: Node): InputBinding {
  const text = scalarOf(item);
  const binding = readInputBinding(item);
  if (binding) return binding;
  const valueFrom = text === undefined || text === null ? undefined : String(text);
  return { valueFrom, separate: true, shellQuote: true, loadContents: false, place: placeOf(item) };
}

/** The shortcuts `type: stdin`, `stdout` and `stderr` (CWL v1.2, CommandLineTool §stdin and following). */
function expandStreams(tool: CommandLineTool, node: MapNode, reading: Reading): void {
  for (const input of tool.inputs) {
    if (stringOf(reading.origins.get(input), 'type') !== 'stdin') continue;
    tool.stdin = `$(inputs[${JSON.stringify(input.id)}].path)`;
  }
  for (const output of tool.outputs) {
    const type = stringOf(reading.origins.get(output), 'type');
    if (type !== 'stdout' && type !== 'stderr') continue;
    // No name was asked for: any will do, but the same tool must get the same one each time.
    tool[type] ??= `${type}-${digest(node.source.text.slice(node.start, node.end))}`;
    output.outputBinding = { glob: [tool[type]], loadContents: false, place: output.place };
  }
}

/** FNV-1a, 32 bits. */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function numbersOf(node: MapNode, name: string): number[] {
  return itemsOf(fieldOf(node, name)).flatMap(item => {
    const value = scalarOf(item);
    return typeof value === 'number' ? [value] : [];
  });
}
