/** What is wrong with a single process, beyond the form of its fields. */
import type { Problem } from '#base/problem.ts';
import type { CommandLineTool, Process } from './model.ts';
import { fieldOf, isNull, type MapNode, problemAt } from './node.ts';
import { checkValue } from './node-check.ts';
import { isExpression, type Reading, stringOf } from './reading.ts';
import { hasFeature } from './schema.ts';
import { formatType, membersOf } from './type-text.ts';

export function checkProcess(process: Process, origins: Reading['origins']): Problem[] {
  return [
    ...checkDefaults(process, origins),
    ...checkTypes(process, origins),
    ...(process.class === 'CommandLineTool' ? checkTool(process, origins) : []),
  ];
}

/** A default must be a value of the type. */
function checkDefaults(process: Process, origins: Reading['origins']): Problem[] {
  return process.inputs.flatMap(input => {
    const node = fieldOf(origins.get(input), 'default');
    return node && !isNull(node) ? checkValue(node, input.type, `The default of ${input.id}`) : [];
  });
}

/** The shortcuts for standard streams stand only where a stream is. */
function checkTypes(process: Process, origins: Reading['origins']): Problem[] {
  const problems: Problem[] = [];
  for (const parameter of [...process.inputs, ...process.outputs]) {
    const node = origins.get(parameter);
    const type = stringOf(node, 'type');
    const isInput = process.inputs.includes(parameter);
    if (type !== (isInput ? 'stdin' : 'stdout') && (isInput || type !== 'stderr')) continue;
    const isAllowed =
      process.class === 'CommandLineTool' && (type !== 'stdin' || hasFeature(process.cwlVersion, 'v1.1'));
    const at = fieldOf(node, 'type') as MapNode;
    if (!isAllowed) {
      const where = process.class === 'CommandLineTool' ? 'from cwlVersion v1.1 on' : 'in a CommandLineTool';
      problems.push(problemAt(at, 'cwl/wrong-type', `The type ${type} is known only ${where}.`));
    }
    const binding = isInput ? 'inputBinding' : 'outputBinding';
    const other = node?.entries.get(binding);
    if (other) problems.push(problemAt(other.key, 'cwl/conflict', `A parameter of type ${type} has no ${binding}.`));
  }
  return problems;
}

function checkTool(tool: CommandLineTool, origins: Reading['origins']): Problem[] {
  const problems: Problem[] = [];
  const node = origins.get(tool) as MapNode;
  for (const requirement of [...tool.requirements, ...tool.hints]) {
    if (requirement.class !== 'ToolTimeLimit' || typeof requirement.timelimit !== 'number') continue;
    if (requirement.timelimit >= 0) continue;
    const { uri, range } = requirement.place;
    const message = `timelimit takes a number of seconds that is not negative, not ${requirement.timelimit}.`;
    problems.push({ code: 'cwl/wrong-value', message, severity: 'error', uri, range });
  }
  const hasArguments =
    tool.arguments.length > 0 || tool.inputs.some(input => input.inputBinding || holdsBinding(input.type));
  if (tool.baseCommand.length === 0 && !hasArguments) {
    const at = fieldOf(node, 'class') ?? node;
    const message = 'Nothing says what to run: there is neither a baseCommand nor an argument nor an inputBinding.';
    problems.push(problemAt(at, 'cwl/no-command', message, 'warning'));
  }
  const streams = tool.inputs.filter(input => stringOf(origins.get(input), 'type') === 'stdin');
  const own = node.entries.get('stdin');
  if (streams.length > 0 && own)
    problems.push(problemAt(own.key, 'cwl/conflict', 'The standard input is an input of type stdin already.'));
  for (const name of ['stdout', 'stderr'] as const) {
    const value = fieldOf(node, name);
    const text = stringOf(node, name);
    if (!value || text === undefined || isExpression(text)) continue;
    if (text.includes('/'))
      problems.push(problemAt(value, 'cwl/wrong-value', `${name} takes the name of a file, without a folder.`));
  }
  for (const output of tool.outputs) {
    if (output.outputBinding || !needsBinding(output.type)) continue;
    const at = origins.get(output) as MapNode;
    const first = at.entries.values().next().value?.key ?? at;
    const message = `Nothing says where the output ${output.id} (${formatType(output.type)}) comes from: it has no outputBinding. Unless the tool writes cwl.output.json, this fails.`;
    problems.push(problemAt(first, 'cwl/no-binding', message, 'information'));
  }
  return problems;
}

function holdsBinding(type: Parameters<typeof formatType>[0]): boolean {
  return membersOf(type).some(member => {
    if (member.kind === 'array') return member.inputBinding !== undefined || holdsBinding(member.items);
    if (member.kind === 'record') {
      return (
        member.inputBinding !== undefined || member.fields.some(field => field.inputBinding || holdsBinding(field.type))
      );
    }
    return member.kind === 'enum' && member.inputBinding !== undefined;
  });
}

function needsBinding(type: Parameters<typeof formatType>[0]): boolean {
  return membersOf(type).every(
    member =>
      member.kind === 'array' ||
      (member.kind === 'primitive' && (member.name === 'File' || member.name === 'Directory')),
  );
}
