import type { Field, InputParameter, Process, Type, Value } from './model.ts';
import { formatType, isOptional, membersOf } from './type-text.ts';
import { toShortName } from './uri.ts';

/** YAML of an input object to fill in: a line for each input, with its type and documentation as comments. */
export function makeInputsTemplate(process: Process): string {
  const title = process.label ?? toShortName(process.id);
  const lines = [`# Inputs of ${title.replace(/\s+/g, ' ')}`];
  const required = process.inputs.filter(input => !isGiven(input));
  for (const input of [...required, ...process.inputs.filter(isGiven)]) lines.push('', ...formatInput(input));
  return `${lines.join('\n')}\n`;
}

function isGiven(input: InputParameter): boolean {
  return input.default !== undefined || isOptional(input.type);
}

/** Inputs that may be left out are comments themselves. */
function formatInput(input: InputParameter): string[] {
  const about = [input.label, input.doc].filter(text => text !== undefined).flatMap(text => text.trim().split('\n'));
  const files = input.secondaryFiles.map(file => file.pattern).join(', ');
  const format = input.format.length > 0 ? `; format ${input.format.join(' or ')}` : '';
  const beside = files ? `; with ${files} beside it` : '';
  const value = input.default === undefined ? exampleOf(input.type) : input.default;
  const body = formatEntry(input.id, value);
  const type = `${formatType(input.type)}${format}${beside}${input.default === undefined ? '' : '; this is the default'}`;
  const comments = [...about, type].map(text => `# ${text}`.trimEnd());
  return [...comments, ...(isGiven(input) ? body.map(line => `# ${line}`) : body)];
}

function exampleOf(type: Type): Value {
  const member = membersOf(type).find(each => !(each.kind === 'primitive' && each.name === 'null')) ?? type;
  switch (member.kind) {
    case 'primitive':
      return exampleOfPrimitive(member.name);
    case 'array':
      return [exampleOf(member.items)];
    case 'enum':
      return member.symbols[0] ?? '';
    case 'record':
      return Object.fromEntries(member.fields.map((field: Field) => [field.name, exampleOf(field.type)]));
    case 'union':
      return null;
  }
}

function exampleOfPrimitive(name: string): Value {
  if (name === 'File') return { class: 'File', path: 'path/to/file' };
  if (name === 'Directory') return { class: 'Directory', path: 'path/to/folder' };
  if (name === 'boolean') return false;
  if (name === 'int' || name === 'long') return 0;
  if (name === 'float' || name === 'double') return 0.1;
  return name === 'null' ? null : 'text';
}

/** Lines of block YAML; scalars are written as JSON where plain text would mean something else. */
function formatEntry(name: string, value: Value): string[] {
  const key = /^[A-Za-z_][\w.-]*$/.test(name) ? name : JSON.stringify(name);
  const lines = formatValue(value);
  return lines.length === 1 && !isNested(value)
    ? [`${key}: ${lines[0]}`]
    : [`${key}:`, ...lines.map(line => `  ${line}`)];
}

function formatValue(value: Value): string[] {
  if (!isNested(value)) return [typeof value === 'string' ? formatText(value) : JSON.stringify(value)];
  if (Array.isArray(value))
    return value.flatMap(item => formatValue(item).map((line, index) => `${index === 0 ? '- ' : '  '}${line}`));
  return Object.entries(value as Record<string, Value>).flatMap(([name, each]) => formatEntry(name, each));
}

function isNested(value: Value): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function formatText(text: string): string {
  const isPlain =
    /^[A-Za-z/.][\w/. -]*$/.test(text) &&
    !/^(?:null|true|false|yes|no|on|off|y|n|~)$/i.test(text) &&
    !text.endsWith(' ');
  return isPlain && !/^\.(?:inf|nan|\d)/i.test(text) ? text : JSON.stringify(text);
}
