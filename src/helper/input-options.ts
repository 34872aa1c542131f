import { resolve } from 'node:path';
import type { InputParameter, Process, Type, Value } from '#cwl/model.ts';
import { listTargets } from '#cwl/select-part.ts';
import { formatType, isOptional, membersOf } from '#cwl/type-text.ts';
import { pathToReference } from '#cwl/uri.ts';
import { usageFailure } from './command-line.ts';

/** What stands after the tool: a file with the input object, and inputs as options of their own. */
export interface GivenInputs {
  file: string | undefined;
  values: Record<string, Value>;
}

/**
 * Reads `[INPUTS] [--NAME VALUE]...`: a boolean is a flag (`--no-NAME` is false), an array's option is given once for
 * each item, a record's fields are `--NAME.FIELD`. Paths start at `basedir`. Throws a Failure `helper/usage`.
 */
export function parseInputOptions(args: readonly string[], process: Process, basedir = '.'): GivenInputs {
  const given: GivenInputs = { file: undefined, values: {} };
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] as string;
    if (!argument.startsWith('--')) {
      if (given.file !== undefined) throw usageFailure(`two files with inputs: ${given.file} and ${argument}`);
      given.file = argument;
      continue;
    }
    const [name = '', ...parts] = argument.slice(2).split('=');
    const option = findOption(name, process);
    if (!option)
      throw usageFailure(
        `the tool has no input ${name}`,
        `It has: ${process.inputs.map(input => input.id).join(', ')}`,
      );
    const { type, isArray, flag } = option;
    if (flag !== undefined) {
      put(given.values, option.path, flag);
      continue;
    }
    const text = parts.length > 0 ? parts.join('=') : args[++at];
    if (text === undefined) throw usageFailure(`--${name} needs a value`);
    const value = toValue(text, type, { name, basedir });
    put(given.values, option.path, value, isArray);
  }
  return given;
}

/** What `--tool-help` prints. */
export function formatToolHelp(tool: string, process: Process): string {
  const rows = process.inputs.map(input => [`  --${input.id}`, describe(input)] as const);
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  const about = process.doc ?? process.label;
  const lines = rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
  return `Usage: run ${tool} [INPUTS] [OPTIONS]\n\n${about ? `${about.trim()}\n\n` : ''}${lines.join('\n')}\n`;
}

/** What `--print-targets` prints. */
export function formatTargets(process: Process): string {
  const { outputs, steps } = listTargets(process);
  return [...outputs.map(name => `output ${name}\n`), ...steps.map(name => `step ${name}\n`)].join('');
}

function describe(input: InputParameter): string {
  const about = (input.doc ?? input.label ?? '').trim().split('\n')[0] ?? '';
  const must = input.default === undefined && !isOptional(input.type) ? ', required' : '';
  const fallback =
    input.default === undefined || input.default === null ? '' : `, default ${JSON.stringify(input.default)}`;
  return `${formatType(input.type)}${must}${fallback}${about ? `: ${about}` : ''}`;
}

interface Option {
  path: string[];
  type: Type;
  isArray: boolean;
  /** Of a boolean: what giving it means. */
  flag?: boolean;
}

function findOption(name: string, process: Process): Option | undefined {
  const [first = '', ...fields] = name.split('.');
  let parameter: { type: Type } | undefined =
    process.inputs.find(input => input.id === name) ?? process.inputs.find(input => input.id === first);
  const isWhole = process.inputs.some(input => input.id === name);
  for (const field of isWhole ? [] : fields) {
    const record: Type | undefined = parameter && membersOf(parameter.type).find(type => type.kind === 'record');
    parameter = record?.kind === 'record' ? record.fields.find(each => each.name === field) : undefined;
  }
  const path = isWhole ? [name] : [first, ...fields];
  if (!parameter) {
    const negated = name.startsWith('no-') ? findOption(name.slice(3), process) : undefined;
    return negated?.flag === undefined ? undefined : { ...negated, flag: false };
  }
  const members = membersOf(parameter.type);
  const array = members.find(type => type.kind === 'array');
  const type = array?.kind === 'array' ? array.items : parameter.type;
  const isFlag = !array && members.some(member => member.kind === 'primitive' && member.name === 'boolean');
  return { path, type, isArray: array !== undefined, ...(isFlag && { flag: true }) };
}

/** The first kind of value of the type that the text can be. */
function toValue(text: string, type: Type, { name, basedir }: { name: string; basedir: string }): Value {
  const names = membersOf(type).map(member => (member.kind === 'primitive' ? member.name : member.kind));
  const isNumber = text.trim() !== '' && Number.isFinite(Number(text));
  for (const kind of names) {
    if (kind === 'File' || kind === 'Directory')
      return { class: kind, location: pathToReference(resolve(basedir, text)) };
    if (['int', 'long', 'float', 'double'].includes(kind) && isNumber) return Number(text);
    if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
    if (kind === 'string' || kind === 'enum' || kind === 'Any') return text;
  }
  throw usageFailure(`--${name} takes ${formatType(type)}, not ${text}`);
}

function put(values: Record<string, Value>, path: readonly string[], value: Value, isArray = false): void {
  const [first = '', ...rest] = path;
  if (rest.length > 0) {
    const inner = (values[first] ?? {}) as Record<string, Value>;
    values[first] = inner;
    put(inner, rest, value, isArray);
  } else if (isArray) values[first] = [...((values[first] as Value[] | undefined) ?? []), value];
  else values[first] = value;
}
