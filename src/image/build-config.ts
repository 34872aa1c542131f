import { posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { ImageConfig } from '#registry/manifest.ts';
import { type Instruction, parseExecForm } from './dockerfile.ts';
import { expandWord, splitPairs, splitWords } from './dockerfile-words.ts';

/** What is known at one line of a stage. */
export interface BuildState {
  config: ImageConfig;
  /** ARGs declared so far. */
  args: Map<string, string>;
  escapeMark: string;
  /** True once the stage has a CMD of its own: an ENTRYPOINT leaves that one alone. */
  hasCommand: boolean;
}

const defaultShell = ['/bin/sh', '-c'];

/** What replaces variables in an instruction: the environment goes before the arguments. */
export function expand(text: string, { config, args, escapeMark }: BuildState, isRaw = false): string {
  return expandWord(text, { lookup: name => config.env[name] ?? args.get(name), escapeMark, isRaw });
}

/** `/bin/sh -c TEXT`, or whatever SHELL said. */
export function toShellForm(text: string, config: ImageConfig): string[] {
  return [...(config.shell ?? defaultShell), text];
}

/** The instructions that change no file: each gives the configuration after it. Others are no business of this. */
export function applyMetadata({ keyword, text, flags }: Instruction, state: BuildState): ImageConfig {
  const { config } = state;
  const words = () => {
    const list = parseExecForm(text) ?? splitWords(text, state.escapeMark);
    if (list.length === 0) throw wrong(`${keyword} needs an argument`);
    return list.map(word => expand(word, state));
  };
  const pairs = () =>
    Object.fromEntries(
      splitPairs(text, state.escapeMark).map(([name, value]) => [expand(name, state), expand(value, state)]),
    );
  const one = () => {
    const value = expand(text, state).trim();
    if (value === '') throw wrong(`${keyword} needs an argument`);
    return value;
  };
  const union = (old: readonly string[] = [], more: readonly string[] = []) => [...new Set([...old, ...more])];
  switch (keyword) {
    case 'ENV':
      return { ...config, env: { ...config.env, ...pairs() } };
    case 'LABEL':
      return { ...config, labels: { ...config.labels, ...pairs() } };
    case 'WORKDIR':
      return { ...config, workingDirectory: posix.resolve(config.workingDirectory ?? '/', one()) };
    case 'USER':
      return { ...config, user: one() };
    case 'STOPSIGNAL':
      return { ...config, stopSignal: one() };
    case 'MAINTAINER':
      return { ...config, author: text };
    case 'EXPOSE':
      return { ...config, exposedPorts: union(config.exposedPorts, words().flatMap(toPorts)) };
    case 'VOLUME':
      return { ...config, volumes: union(config.volumes, words()) };
    case 'CMD':
      return { ...config, command: parseExecForm(text) ?? toShellForm(text, config) };
    case 'ENTRYPOINT': {
      // The command of the base was for the entry point of the base.
      const command = state.hasCommand ? config.command : [];
      return { ...config, entrypoint: parseExecForm(text) ?? toShellForm(text, config), command };
    }
    case 'SHELL': {
      const shell = parseExecForm(text);
      if (!shell?.length) throw wrong('SHELL needs a list: SHELL ["program", "option"]');
      return { ...config, shell };
    }
    case 'HEALTHCHECK':
      return { ...config, healthcheck: toHealthcheck(text, flags, config) };
    case 'ONBUILD': {
      const trigger = /^\w+/.exec(text)?.[0].toUpperCase() ?? '';
      if (['', 'ONBUILD', 'FROM', 'MAINTAINER'].includes(trigger)) throw wrong(`ONBUILD ${trigger} is not allowed`);
      return { ...config, onBuild: [...(config.onBuild ?? []), text] };
    }
    default:
      throw wrong(`${keyword} is not known here`);
  }
}

/** `ARG name`, `ARG name=default`; a value that was given goes before the default. */
export function applyArg(
  { text }: Instruction,
  state: BuildState,
  given: ReadonlyMap<string, string>,
  globals: ReadonlyMap<string, string>,
): void {
  for (const word of splitWords(text, state.escapeMark)) {
    const at = word.indexOf('=');
    const name = expand(at < 0 ? word : word.slice(0, at), state);
    if (!/^[A-Za-z_][\w.-]*$/.test(name)) throw wrong(`${name || 'the empty text'} is no name for an ARG`);
    const value = given.get(name) ?? (at < 0 ? globals.get(name) : expand(word.slice(at + 1), state));
    if (value !== undefined) state.args.set(name, value);
    else state.args.delete(name);
  }
}

/** A variable may hold several or none; a range is each of its ports. */
function toPorts(words: string): string[] {
  const each = words.split(/\s+/).filter(word => word !== '');
  return each.flatMap(word => {
    const [, from, to = from, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
    const [low, high] = [Number(from), Number(to)];
    if (!(low <= high && high <= 65_535)) throw wrong(`${word} is no port: PORT, PORT-PORT or PORT/udp`);
    return Array.from({ length: high - low + 1 }, (_, i) => `${low + i}/${protocol.toLowerCase()}`);
  });
}

function toHealthcheck(text: string, flags: Instruction['flags'], config: ImageConfig): Record<string, unknown> {
  const [, type = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  if (type.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  if (type.toUpperCase() !== 'CMD' || rest === '') throw wrong('HEALTHCHECK needs CMD and a command, or NONE');
  const exec = parseExecForm(rest);
  const test = exec ? ['CMD', ...exec] : config.shell ? ['CMD', ...toShellForm(rest, config)] : ['CMD-SHELL', rest];
  const check: Record<string, unknown> = { Test: test };
  for (const { name, value } of flags) {
    const key = healthFlags[name];
    if (!key) throw wrong(`HEALTHCHECK has no option --${name}`);
    check[key] = name === 'retries' ? Number(value) : toNanoseconds(value);
    if (!(Number.isSafeInteger(check[key]) && (check[key] as number) >= 0))
      throw wrong(`--${name}=${value} is no such value`);
  }
  return check;
}

const healthFlags: Record<string, string> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
  retries: 'Retries',
};

/** Go's durations: `1m30s`, `500ms`. */
function toNanoseconds(text: string): number {
  if (!/^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text)) return Number.NaN;
  const units: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g);
  return [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit as string] as number), 0);
}

function wrong(reason: string): Failure {
  return new Failure('image/invalid-dockerfile', reason);
}
