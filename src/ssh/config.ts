import type { Log } from '#base/log.ts';
import { type Directive, parseConfigFile } from './config-file.ts';
import { isListMatch, isMatch } from './patterns.ts';
import { expandTokens, expandVariables } from './tokens.ts';

/** What is around a configuration: the user's machine. */
export interface Surroundings {
  home: string;
  localUser: string;
  environment: Record<string, string | undefined>;
  /** Text of a file; undefined where there is none that can be read. */
  readFile(path: string): string | undefined;
  /** Names in a folder; empty where there is none. */
  listFolder(path: string): string[];
}

/** Values of ssh_config(5) by lower-case name, one per word; `identityfile` collects, of all others the first counts. */
export type Options = Map<string, string[]>;

/** A file of the configuration, and the folder at which its relative `Include`s start. */
export interface ConfigSource {
  file: string;
  includeFolder: string;
}

/**
 * The options that hold for `alias`: those of `given` (the command line) first, then the files in order
 * (ssh_config(5)). A `Match exec` is never run: it counts as not matching, and the log says so.
 */
export function computeOptions(
  alias: string,
  given: Options,
  sources: readonly ConfigSource[],
  around: Surroundings,
  log: Log,
): Options {
  const evaluation = new Evaluation(alias, new Map(given), around, log);
  for (const source of sources) evaluation.applyFile(source.file, source.includeFolder);
  if (evaluation.wantsFinalPass) {
    evaluation.isFinalPass = true;
    for (const source of sources) evaluation.applyFile(source.file, source.includeFolder);
  }
  return evaluation.options;
}

/** As many levels of Include as OpenSSH follows. */
const maxDepth = 16;

class Evaluation {
  readonly options: Options;
  wantsFinalPass = false;
  isFinalPass = false;
  readonly #alias: string;
  readonly #around: Surroundings;
  readonly #log: Log;

  constructor(alias: string, options: Options, around: Surroundings, log: Log) {
    this.#alias = alias;
    this.options = options;
    this.#around = around;
    this.#log = log;
  }

  applyFile(file: string, includeFolder: string, depth = 0): void {
    const text = this.#around.readFile(file);
    if (text === undefined) return;
    this.#apply(parseConfigFile(text, file), includeFolder, depth);
  }

  #apply(directives: readonly Directive[], includeFolder: string, depth: number): void {
    for (const directive of directives) {
      if (directive.name === 'host') {
        if (isListMatch(this.#alias, directive.words)) this.#apply(directive.body ?? [], includeFolder, depth);
      } else if (directive.name === 'match') {
        if (this.#matches(directive.words)) this.#apply(directive.body ?? [], includeFolder, depth);
      } else if (directive.name === 'include') {
        for (const word of directive.words) this.#include(word, includeFolder, depth);
      } else this.#set(directive.name, directive.words);
    }
  }

  #set(name: string, words: string[]): void {
    if (name === 'identityfile') {
      const files = this.options.get(name) ?? [];
      for (const word of words) if (!files.includes(word)) files.push(word);
      this.options.set(name, files);
      return;
    }
    // Of ProxyJump and ProxyCommand the first that is met switches the other off.
    const rival = { proxyjump: 'proxycommand', proxycommand: 'proxyjump' }[name];
    if (this.options.has(name) || (rival !== undefined && this.options.has(rival))) return;
    this.options.set(name, words);
  }

  #include(word: string, includeFolder: string, depth: number): void {
    if (depth >= maxDepth) {
      this.#log.warn(`ssh configuration: Include ${word} is nested too deeply and was left out`);
      return;
    }
    const path = expandVariables(word, this.#around);
    const isAbsolute = path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path);
    for (const file of findFiles(isAbsolute ? path : `${includeFolder}/${path}`, this.#around)) {
      this.applyFile(file, includeFolder, depth + 1);
    }
  }

  /** All criteria of a Match line; an unknown one, and `exec`, do not match. */
  #matches(words: readonly string[]): boolean {
    let result = true;
    for (let i = 0; i < words.length; i++) {
      const negated = words[i]?.startsWith('!') ?? false;
      const criterion = (words[i] ?? '').slice(negated ? 1 : 0).toLowerCase();
      if (criterion === 'all') continue;
      if (criterion === 'final' || criterion === 'canonical') {
        this.wantsFinalPass ||= criterion === 'final';
        if (this.isFinalPass === negated) result = false;
        continue;
      }
      const patterns = (words[++i] ?? '').split(',');
      const subject = this.#subjectOf(criterion);
      if (subject === undefined) {
        this.#log.warn(`ssh configuration: “Match ${criterion}” is not evaluated; it counts as not matching`);
        result = false;
      } else if (isListMatch(subject, patterns) === negated) result = false;
    }
    return result;
  }

  #subjectOf(criterion: string): string | undefined {
    const first = (name: string) => this.options.get(name)?.[0];
    switch (criterion) {
      case 'host':
        return expandTokens(first('hostname') ?? '%h', { h: this.#alias });
      case 'originalhost':
        return this.#alias;
      case 'user':
        return first('user') ?? this.#around.localUser;
      case 'localuser':
        return this.#around.localUser;
      case 'tagged':
        return first('tag') ?? '';
      default:
        return undefined;
    }
  }
}

/** Files that fit a path whose components may hold `*` and `?`, sorted as glob(7) does. */
export function findFiles(pattern: string, around: Surroundings): string[] {
  if (!/[*?]/.test(pattern)) return [pattern];
  let folders = [''];
  const components = pattern.split(/[\\/]/);
  for (const [index, component] of components.entries()) {
    const grow = (folder: string): string[] => {
      const join = (name: string) => (index === 0 ? name : `${folder}/${name}`);
      if (!/[*?]/.test(component)) return [join(component)];
      const names = around.listFolder(folder || '/').filter(name => component.startsWith('.') || !name.startsWith('.'));
      return names.filter(name => isMatch(name, component)).map(join);
    };
    folders = folders.flatMap(grow);
  }
  return folders.sort();
}
