import type { Entry, Node, ScalarNode, Source } from './node.ts';

/** Thrown where the quick reader stops and the general one must look. */
export const giveUp = new Error('left to the general reader');

/** Characters that mean something of their own where a scalar begins (YAML 1.2.2 §5.3). */
const indicators = new Set('-?:,[]{}#&*!|>\'"%@`');

/** A place in a text, and the steps over white space, comments and lines that all of the quick reader takes. */
export class QuickCursor {
  protected readonly source: Source;
  protected readonly text: string;
  protected at = 0;
  /** Offset at which the current line begins. */
  protected lineStart = 0;
  /** Tabs are white space inside brackets; what is written as JSON is all inside. */
  protected readonly allowsTabs: boolean;

  constructor(source: Source) {
    this.source = source;
    this.text = source.text;
    this.allowsTabs = /^\s*[[{]/.test(source.text);
  }

  protected get column(): number {
    return this.at - this.lineStart;
  }

  /** Goes to the next character that is neither white space nor part of a comment. */
  protected skipBlank(): void {
    const text = this.text;
    for (;;) {
      const char = text.charCodeAt(this.at);
      if (char === 32 || (char === 9 && this.allowsTabs)) this.at++;
      else if (char === 10) this.lineStart = ++this.at;
      else if (char === 35 && this.#isCommentStart()) this.at = this.lineEnd();
      else return;
    }
  }

  #isCommentStart(): boolean {
    const before = this.text[this.at - 1];
    return this.at === this.lineStart || before === ' ' || before === '\n';
  }

  protected lineEnd(): number {
    const end = this.text.indexOf('\n', this.at);
    return end < 0 ? this.text.length : end;
  }

  protected skipSpaces(): void {
    while (this.text.charCodeAt(this.at) === 32) this.at++;
  }

  protected lineEndAfterSpaces(at: number): number {
    let end = at;
    while (this.text.charCodeAt(end) === 32) end++;
    return end;
  }

  protected isSpace(at: number): boolean {
    const char = this.text.charCodeAt(at);
    return char === 32 || char === 10 || at >= this.text.length;
  }

  /** `-`, `?` and `:` begin a plain scalar too if another character follows, as in `--option`. */
  protected isPlainStart(at: number): boolean {
    const char = this.text[at] as string;
    if (!indicators.has(char)) return true;
    return '-?:'.includes(char) && !this.isSpace(at + 1) && !',[]{}'.includes(this.text[at + 1] as string);
  }

  protected findPlainColon(): number | undefined {
    const text = this.text;
    for (let at = this.at; at < text.length; at++) {
      const char = text.charCodeAt(at);
      if (char === 10) return undefined;
      if (char === 35 && text.charCodeAt(at - 1) === 32) return undefined;
      if (char === 58 && this.isSpace(at + 1)) return at;
    }
    return undefined;
  }

  protected addEntry(entries: Map<string, Entry>, key: ScalarNode, value: Node): void {
    const name = key.value === null ? '' : String(key.value);
    if (entries.has(name) || name === '<<') throw giveUp;
    entries.set(name, { key, value });
  }
}
