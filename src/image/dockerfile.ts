import { DockerfileParser } from 'dockerfile-ast';
import { Failure } from '#base/failure.ts';

/** A text that stands in the Dockerfile itself: `<<EOT` and the lines up to `EOT`. */
export interface Heredoc {
  name: string;
  text: string;
  /** False where the name is quoted: variables are left alone. */
  isExpanded: boolean;
}

export interface Instruction {
  /** In capitals. */
  keyword: string;
  flags: { name: string; value: string }[];
  /** Arguments without flags and heredocs; continued lines are joined, comments between them are gone. */
  text: string;
  heredocs: Heredoc[];
  /** Counted from 1. */
  line: number;
}

/** What lies between one FROM and the next. */
export interface Stage {
  /** The FROM itself. */
  from: Instruction;
  name: string | undefined;
  /** As it is written, variables and all. */
  base: string;
  instructions: Instruction[];
}

export interface Dockerfile {
  escapeMark: string;
  /** The ARGs before the first FROM. */
  globals: Instruction[];
  stages: Stage[];
}

const known =
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  );
/** Whose heredocs count (Dockerfile reference, "Here-Documents"). */
const takesHeredocs = ['ADD', 'COPY', 'RUN'];

/** Reads a Dockerfile; throws a Failure `image/invalid-dockerfile` that names the line. */
export function parseDockerfile(text: string, name = 'Dockerfile'): Dockerfile {
  const { escapeMark, instructions } = parseInstructions(text, name);
  const globals: Instruction[] = [];
  const stages: Stage[] = [];
  for (const instruction of instructions) {
    const stage = stages.at(-1);
    if (instruction.keyword === 'FROM') stages.push(toStage(instruction, name));
    else if (stage) stage.instructions.push(instruction);
    else if (instruction.keyword === 'ARG') globals.push(instruction);
    else throw invalidLine(name, instruction.line, `${instruction.keyword} comes before the first FROM`);
  }
  if (stages.length === 0) throw new Failure('image/invalid-dockerfile', `${name} has no FROM`);
  return { escapeMark, globals, stages };
}

/** Reads the instruction that an image asks for with ONBUILD. */
export function parseTrigger(text: string, name: string): Instruction {
  const [instruction, more] = parseInstructions(text, name).instructions;
  if (!instruction || more) throw new Failure('image/invalid-dockerfile', `${name}: ONBUILD ${text} makes no sense`);
  return instruction;
}

/** Words of an exec form, `["a", "b"]`; undefined for a shell form. */
export function parseExecForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every(each => typeof each === 'string') ? value : undefined;
  } catch {
    // Docker takes what is no JSON for a command of the shell.
    return undefined;
  }
}

export function invalidLine(name: string, line: number, reason: string, hint?: string): Failure {
  return new Failure('image/invalid-dockerfile', `${name}:${line}: ${reason}`, { hint });
}

function parseInstructions(source: string, name: string): { escapeMark: string; instructions: Instruction[] } {
  const text = source.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const tree = DockerfileParser.parse(text);
  const lines = text.split('\n');
  const escapeMark = tree.getEscapeCharacter();
  const instructions = tree.getInstructions().map(node => {
    const { start, end } = node.getRange();
    const keyword = node.getKeyword();
    const line = start.line + 1;
    if (!known.includes(keyword)) throw invalidLine(name, line, `there is no instruction ${node.getInstruction()}`);
    const written = lines.slice(start.line, end.line + 1);
    written[0] = (written[0] as string).slice(start.character + node.getInstruction().length);
    const { head, rest } = joinLines(written, escapeMark);
    const { flags, text: argument } = splitFlags(head);
    const heredocs = takesHeredocs.includes(keyword) ? readHeredocs(argument, rest, name, line) : [];
    return { keyword, flags, text: argument, heredocs, line };
  });
  return { escapeMark, instructions };
}

/** The first line with those that continue it, and what follows: the texts of heredocs. */
function joinLines(lines: readonly string[], escapeMark: string): { head: string; rest: string[] } {
  let head = '';
  for (const [index, line] of lines.entries()) {
    // Comments and empty lines may stand between continued lines.
    if (index > 0 && /^\s*(#|$)/.test(line)) continue;
    const trimmed = line.trimEnd();
    if (!trimmed.endsWith(escapeMark)) return { head: (head + line).trim(), rest: lines.slice(index + 1) };
    head += trimmed.slice(0, -1);
  }
  return { head: head.trim(), rest: [] };
}

function splitFlags(head: string): { flags: Instruction['flags']; text: string } {
  const flags: Instruction['flags'] = [];
  let text = head;
  for (let match = flagPattern.exec(text); match; match = flagPattern.exec(text)) {
    flags.push({ name: match[1] as string, value: match[2] ?? 'true' });
    text = text.slice(match[0].length);
  }
  return { flags, text };
}

const flagPattern = /^--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)/;
const heredocPattern = /(?<![<\w])<<(-?)(["']?)([A-Za-z0-9_.][\w.-]*)\2/g;

function readHeredocs(head: string, rest: string[], name: string, line: number): Heredoc[] {
  let at = 0;
  if (rest.length === 0) return [];
  return [...head.matchAll(heredocPattern)].map(([, dash, quote, word = '']) => {
    const strip = (each: string) => (dash ? each.replace(/^\t+/, '') : each);
    const end = rest.findIndex((each, index) => index >= at && strip(each) === word);
    if (end < 0) throw invalidLine(name, line, `the text that begins with <<${word} has no end`);
    const text = rest.slice(at, end).map(each => `${strip(each)}\n`);
    at = end + 1;
    return { name: word, text: text.join(''), isExpanded: quote === '' };
  });
}

function toStage(from: Instruction, name: string): Stage {
  const [base = '', as, stageName, more] = from.text.split(/\s+/);
  const isNamed = as?.toLowerCase() === 'as' && /^[a-z][a-z0-9-_.]*$/.test(stageName?.toLowerCase() ?? '');
  if (base === '' || more !== undefined || (as !== undefined && !isNamed)) {
    throw invalidLine(name, from.line, 'FROM needs IMAGE, or IMAGE AS NAME');
  }
  return { from, name: stageName?.toLowerCase(), base, instructions: [] };
}
