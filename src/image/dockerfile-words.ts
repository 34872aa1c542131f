import { Failure } from '#base/failure.ts';

export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  lookup: Lookup;
  escapeMark: string;
  /** Quotes are letters like others: the text of a heredoc. */
  isRaw?: boolean;
}

/**
 * Replaces `$x`, `${x}`, `${x:-word}`, `${x:+word}`, `${x:?word}` (and without the colon), `${x#pattern}`,
 * `${x%pattern}` and `${x/pattern/word}`, and takes quotes and escapes away (Dockerfile reference, "Environment
 * replacement"). Throws a Failure `image/invalid-dockerfile`.
 */
export function expandWord(text: string, options: ExpandOptions): string {
  return new Expander(text, options).read();
}

/** Splits at blanks that are neither quoted nor escaped; quotes stay. */
export function splitWords(text: string, escapeMark: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] as string;
    if (letter === escapeMark && quote !== "'" && i + 1 < text.length) word += letter + text[++i];
    else if (quote === '' && /\s/.test(letter)) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      if (letter === quote) quote = '';
      else if (quote === '' && (letter === '"' || letter === "'")) quote = letter;
      word += letter;
    }
  }
  if (quote !== '') throw invalid(`a ${quote} has no partner`);
  return word === '' ? words : [...words, word];
}

/** `a=1 b="2 3"`, or the old `a 1 2`; names and values are not expanded yet. */
export function splitPairs(text: string, escapeMark: string): [name: string, value: string][] {
  const words = splitWords(text, escapeMark);
  if (words.length === 0) throw invalid('it needs NAME=VALUE');
  if (!(words[0] as string).includes('=')) {
    const [, name = '', value] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
    if (value === undefined) throw invalid(`${text} needs a value`);
    return [[name, value]];
  }
  return words.map(word => {
    const at = word.indexOf('=');
    if (at <= 0) throw invalid(`${word} is not NAME=VALUE`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

class Expander {
  readonly #text: string;
  readonly #options: ExpandOptions;
  #at = 0;

  constructor(text: string, options: ExpandOptions) {
    this.#text = text;
    this.#options = options;
  }

  /** Up to `end`, which is consumed, or the end of the text. */
  read(end = ''): string {
    const { escapeMark, isRaw } = this.#options;
    let found = '';
    while (this.#at < this.#text.length) {
      const letter = this.#text[this.#at++] as string;
      if (end.includes(letter)) return found;
      if (letter === escapeMark) found += this.#readEscaped(escapeMark);
      else if (letter === '$') found += this.#readVariable();
      else if (letter === "'" && !isRaw) found += this.#readSingle();
      else if (letter === '"' && !isRaw) found += this.#readDouble();
      else found += letter;
    }
    if (end !== '') throw invalid(`${this.#text}: a ${end} is missing`);
    return found;
  }

  #readEscaped(escapeMark: string): string {
    const next = this.#text[this.#at];
    if (next === undefined) return escapeMark;
    if (this.#options.isRaw && next !== '$' && next !== escapeMark) return escapeMark;
    this.#at++;
    return next;
  }

  #readSingle(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw invalid(`${this.#text}: a ' is missing`);
    const found = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return found;
  }

  #readDouble(): string {
    const { escapeMark } = this.#options;
    let found = '';
    while (this.#at < this.#text.length) {
      const letter = this.#text[this.#at++] as string;
      if (letter === '"') return found;
      if (letter === '$') found += this.#readVariable();
      else if (letter === escapeMark && ['"', '$', escapeMark].includes(this.#text[this.#at] ?? ''))
        found += this.#text[this.#at++];
      else found += letter;
    }
    throw invalid(`${this.#text}: a " is missing`);
  }

  #readVariable(): string {
    const { lookup } = this.#options;
    const rest = this.#text.slice(this.#at);
    if (!rest.startsWith('{')) {
      const name = /^(?:[A-Za-z_]\w*|[0-9@*#])/.exec(rest)?.[0];
      if (name === undefined) return '$';
      this.#at += name.length;
      return lookup(name) ?? '';
    }
    const [head, name = '', operator = ''] = /^\{(\w+)(\}|:?[-+?]|##?|%%?|\/\/?)/.exec(rest) ?? [];
    if (head === undefined) throw invalid(`$${rest} is no variable`);
    this.#at += head.length;
    const value = lookup(name);
    if (operator === '}') return value ?? '';
    if (operator.startsWith('/')) {
      const pattern = this.read('/');
      const word = this.read('}');
      return (value ?? '').replace(toPattern(pattern, operator === '//' ? 'g' : ''), () => word);
    }
    const word = this.read('}');
    if (operator.startsWith('#') || operator.startsWith('%')) return cut(value ?? '', operator, word);
    const isThere = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
    if (operator.endsWith('-')) return isThere ? (value as string) : word;
    if (operator.endsWith('+')) return isThere ? word : '';
    if (isThere) return value as string;
    throw invalid(`${name}: ${word || 'is not set'}`);
  }
}

/** Takes the shortest (`#`, `%`) or longest (`##`, `%%`) match off the front or the back. */
function cut(value: string, operator: string, pattern: string): string {
  const isFront = operator.startsWith('#');
  const whole = new RegExp(`^(?:${toPattern(pattern).source})$`, 's');
  const lengths = Array.from({ length: value.length + 1 }, (_, i) => i);
  if (operator.length === 2) lengths.reverse();
  for (const length of lengths) {
    const piece = isFront ? value.slice(0, length) : value.slice(value.length - length);
    if (whole.test(piece)) return isFront ? value.slice(length) : value.slice(0, value.length - length);
  }
  return value;
}

function toPattern(pattern: string, flags = ''): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(source, `s${flags}`);
}

function invalid(reason: string): Failure {
  return new Failure('image/invalid-dockerfile', reason);
}
