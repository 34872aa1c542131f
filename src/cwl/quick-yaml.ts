/**
 * A reader of the YAML that people and programs write, some ten times as fast to load and run as the general one.
 * It reads or gives up, and never guesses: anchors, tags, complex keys, tabs, several documents and anything that looks
 * wrong are left to `yaml-text`, which knows the whole language and says what is wrong. Both give the same tree.
 */
import type { Entry, Node, ScalarNode, Source } from './node.ts';
import { resolveScalar } from './scalar.ts';

/** The tree of the text, or undefined where the general reader must look. */
export function parseQuickly(source: Source): Node | undefined {
  try {
    return new QuickReader(source).read();
  } catch (error) {
    if (error === giveUp) return undefined;
    throw error;
  }
}

const giveUp = new Error('left to the general reader');
const depthLimit = 100;

/** Characters that mean something of their own where a scalar begins (YAML 1.2.2 §5.3). */
const indicators = new Set('-?:,[]{}#&*!|>\'"%@`');

class QuickReader {
  readonly #source: Source;
  readonly #text: string;
  #at = 0;
  /** Offset at which the current line begins. */
  #lineStart = 0;
  #depth = 0;
  /** Flow collections around the current place. */
  #flows = 0;

  constructor(source: Source) {
    this.#source = source;
    this.#text = source.text;
  }

  read(): Node | undefined {
    if (/[\t\r\u0085\u2028\u2029\uFEFF]/.test(this.#text) || /^(?:%|\.\.\.)/m.test(this.#text)) throw giveUp;
    this.#skipBlank();
    if (this.#text.startsWith('---\n', this.#at) && this.#at === this.#lineStart) {
      this.#at += 3;
      this.#skipBlank();
    }
    if (/^---/m.test(this.#text.slice(this.#at))) throw giveUp;
    if (this.#at >= this.#text.length) throw giveUp;
    const root = this.#readBlock(-1);
    this.#skipBlank();
    if (this.#at < this.#text.length) throw giveUp;
    return root;
  }

  get #column(): number {
    return this.#at - this.#lineStart;
  }

  /** Goes to the next character that is neither white space nor part of a comment. */
  #skipBlank(): void {
    const text = this.#text;
    for (;;) {
      const char = text.charCodeAt(this.#at);
      if (char === 32) this.#at++;
      else if (char === 10) this.#lineStart = ++this.#at;
      else if (char === 35 && this.#isCommentStart()) this.#at = this.#lineEnd();
      else return;
    }
  }

  #isCommentStart(): boolean {
    const before = this.#text[this.#at - 1];
    return this.#at === this.#lineStart || before === ' ' || before === '\n';
  }

  #lineEnd(): number {
    const end = this.#text.indexOf('\n', this.#at);
    return end < 0 ? this.#text.length : end;
  }

  /** A value of which the first character is next; `parent` is the column of what holds it. */
  #readBlock(parent: number): Node {
    if (++this.#depth > depthLimit) throw giveUp;
    const node = this.#readBlockNode(parent);
    this.#depth--;
    return node;
  }

  #readBlockNode(parent: number): Node {
    const char = this.#text[this.#at] as string;
    if (char === '-' && this.#isSpace(this.#at + 1)) return this.#readList();
    if (char !== '[' && char !== '{' && char !== '|' && char !== '>' && this.#findColon() !== undefined)
      return this.#readMap();
    return this.#readInline(parent);
  }

  #isSpace(at: number): boolean {
    const char = this.#text.charCodeAt(at);
    return char === 32 || char === 10 || at >= this.#text.length;
  }

  #readList(): Node {
    const column = this.#column;
    const start = this.#at;
    const items: Node[] = [];
    let end = start;
    while (this.#column === column && this.#text[this.#at] === '-' && this.#isSpace(this.#at + 1)) {
      const dash = this.#at++;
      const item = this.#readValue(column, column + 1, dash + 1);
      items.push(item);
      end = item.end;
      this.#skipBlank();
    }
    if (this.#at < this.#text.length && this.#column > column) throw giveUp;
    return { kind: 'list', source: this.#source, start, end, items };
  }

  #readMap(): Node {
    const column = this.#column;
    const start = this.#at;
    const entries = new Map<string, Entry>();
    let end = start;
    while (this.#at < this.#text.length && this.#column === column) {
      if (this.#text[this.#at] === '-' && this.#isSpace(this.#at + 1)) throw giveUp;
      const colon = this.#findColon();
      if (colon === undefined) throw giveUp;
      const key = this.#readKey(colon);
      this.#at = colon + 1;
      // A list may stand in the column of its key.
      const value = this.#readValue(column, column, colon + 1);
      this.#addEntry(entries, key, value);
      end = value.end;
      this.#skipBlank();
    }
    if (this.#at < this.#text.length && this.#column > column) throw giveUp;
    return { kind: 'map', source: this.#source, start, end, entries };
  }

  #addEntry(entries: Map<string, Entry>, key: ScalarNode, value: Node): void {
    const name = key.value === null ? '' : String(key.value);
    if (entries.has(name) || name === '<<') throw giveUp;
    entries.set(name, { key, value });
  }

  /** What follows a dash or a colon: on this line, or indented on the next ones; `least` is where a list may begin. */
  #readValue(column: number, least: number, after: number): Node {
    const line = this.#lineStart;
    this.#skipBlank();
    const isSameLine = line === this.#lineStart;
    if (isSameLine && this.#at < this.#text.length) {
      const isDash = this.#text[this.#at] === '-' && this.#isSpace(this.#at + 1);
      // After a colon only a value that ends on this line, or a block of its own, may follow.
      if (least === column) return this.#readInlineOnly(column, isDash);
      return this.#readBlock(column);
    }
    const isDeeper = this.#column > column;
    const isList = this.#column >= least && this.#text[this.#at] === '-' && this.#isSpace(this.#at + 1);
    if (this.#at < this.#text.length && (isDeeper || isList)) return this.#readBlock(column);
    return { kind: 'scalar', source: this.#source, start: after, end: after, value: null };
  }

  #readInlineOnly(column: number, isDash: boolean): Node {
    if (isDash) throw giveUp;
    const char = this.#text[this.#at];
    const isOpen = char === '[' || char === '{' || char === '|' || char === '>';
    if (!isOpen && this.#findColon() !== undefined) throw giveUp;
    return this.#readInline(column);
  }

  /** A scalar or a flow collection, and nothing after it on its last line. */
  #readInline(parent: number): Node {
    const char = this.#text[this.#at];
    let node: Node;
    if (char === '[' || char === '{') node = this.#readFlow(parent);
    else if (char === '|' || char === '>') return this.#readBlockScalar(parent);
    else if (char === '"' || char === "'") node = this.#readQuoted();
    else return this.#readPlain(parent);
    const end = this.#lineEnd();
    if (!/^ *(?: #.*)?$/.test(this.#text.slice(this.#at, end))) throw giveUp;
    return node;
  }

  /** Offset of the colon that makes the rest of this line begin with a key. */
  #findColon(): number | undefined {
    const text = this.#text;
    const first = text[this.#at];
    if (first === '"' || first === "'") {
      const start = this.#at;
      this.#readQuoted();
      let at = this.#at;
      this.#at = start;
      while (text.charCodeAt(at) === 32) at++;
      return text[at] === ':' && this.#isSpace(at + 1) ? at : undefined;
    }
    return this.#findPlainColon();
  }

  #findPlainColon(): number | undefined {
    const text = this.#text;
    for (let at = this.#at; at < text.length; at++) {
      const char = text.charCodeAt(at);
      if (char === 10) return undefined;
      if (char === 35 && text.charCodeAt(at - 1) === 32) return undefined;
      if (char === 58 && this.#isSpace(at + 1)) return at;
    }
    return undefined;
  }

  #readKey(colon: number): ScalarNode {
    const start = this.#at;
    const first = this.#text[start] as string;
    if (first === '"' || first === "'") return this.#readQuoted();
    if (!this.#isPlainStart(start)) throw giveUp;
    const text = this.#text.slice(start, colon).trimEnd();
    // YAML has no keys of more than 1024 characters.
    if (text.length > 1000) throw giveUp;
    return { kind: 'scalar', source: this.#source, start, end: start + text.length, value: resolveScalar(text) };
  }

  /** `-`, `?` and `:` begin a plain scalar too if another character follows, as in `--option`. */
  #isPlainStart(at: number): boolean {
    const char = this.#text[at] as string;
    if (!indicators.has(char)) return true;
    return '-?:'.includes(char) && !this.#isSpace(at + 1) && !',[]{}'.includes(this.#text[at + 1] as string);
  }

  /** A plain scalar, which goes on over lines that are indented more than what holds it. */
  #readPlain(parent: number): ScalarNode {
    const start = this.#at;
    if (!this.#isPlainStart(start)) throw giveUp;
    let value = this.#readPlainLine();
    let end = this.#at;
    for (;;) {
      const hasComment = this.#text[this.#lineEndAfterSpaces(end)] === '#';
      const next = this.#nextLine(end);
      if (!next || next.column <= parent) break;
      // A comment ends the scalar: more of it after that is an error.
      if (hasComment || this.#text[next.start] === '#') throw giveUp;
      this.#at = next.start;
      this.#lineStart = next.start - next.column;
      if (this.#findPlainColon() !== undefined) throw giveUp;
      const line = this.#readPlainLine();
      value += (next.blanks > 0 ? '\n'.repeat(next.blanks) : ' ') + line;
      end = this.#at;
    }
    return { kind: 'scalar', source: this.#source, start, end, value: resolveScalar(value) };
  }

  /** The text up to the end of the line or a comment. */
  #readPlainLine(): string {
    const line = this.#text.slice(this.#at, this.#lineEnd());
    const comment = line.indexOf(' #');
    const text = (comment < 0 ? line : line.slice(0, comment)).trimEnd();
    this.#at += text.length;
    return text;
  }

  #lineEndAfterSpaces(at: number): number {
    let end = at;
    while (this.#text.charCodeAt(end) === 32) end++;
    return end;
  }

  /** The next line with anything on it: where that begins, its column, and the number of blank lines before it. */
  #nextLine(from: number): { start: number; column: number; blanks: number } | undefined {
    let lineStart = this.#text.indexOf('\n', from) + 1;
    for (let blanks = 0; lineStart > 0; blanks++) {
      const start = this.#lineEndAfterSpaces(lineStart);
      if (start >= this.#text.length) return undefined;
      if (this.#text[start] !== '\n') return { start, column: start - lineStart, blanks };
      lineStart = start + 1;
    }
    return undefined;
  }

  #readQuoted(): ScalarNode {
    const start = this.#at;
    const quote = this.#text[start] as string;
    const value = quote === '"' ? this.#readDouble() : this.#readSingle();
    return { kind: 'scalar', source: this.#source, start, end: this.#at, value };
  }

  #readSingle(): string {
    let value = '';
    for (let at = this.#at + 1; ; ) {
      const end = this.#text.indexOf("'", at);
      if (end < 0) throw giveUp;
      value += this.#text.slice(at, end);
      at = end + 1;
      if (this.#text[at] === "'") {
        value += "'";
        at++;
        continue;
      }
      this.#at = at;
      if (value.includes('\n')) throw giveUp;
      return value;
    }
  }

  #readDouble(): string {
    const start = this.#at;
    for (let at = start + 1; ; at++) {
      const char = this.#text[at];
      if (char === undefined || char === '\n') throw giveUp;
      if (char === '\\') at++;
      else if (char === '"') {
        this.#at = at + 1;
        const inner = this.#text.slice(start, at + 1);
        if (!inner.includes('\\')) return inner.slice(1, -1);
        // JSON and YAML agree on these escapes; YAML has more.
        if (/\\[^"\\/bfnrtu]/.test(inner.replaceAll('\\\\', ''))) throw giveUp;
        return parseJsonString(inner);
      }
    }
  }

  #readBlockScalar(parent: number): ScalarNode {
    const start = this.#at;
    const header = this.#text.slice(start, this.#lineEnd()).trimEnd();
    const match = /^([|>])([+-]?)$/.exec(header);
    if (!match) throw giveUp;
    const isFolded = match[1] === '>';
    const lines: string[] = [];
    let indent: number | undefined;
    let end = start + header.length;
    let at = this.#lineEnd() + 1;
    while (at < this.#text.length) {
      const stop = this.#text.indexOf('\n', at);
      if (stop < 0) throw giveUp;
      const first = this.#lineEndAfterSpaces(at);
      const isBlank = this.#text[first] === '\n';
      if (!isBlank) {
        if (first - at <= parent) break;
        indent ??= first - at;
        // Less than the first line, or deeper inside a folded text: rules of their own.
        if (first - at < indent || (isFolded && first - at > indent)) throw giveUp;
      }
      if (isBlank && first - at > (indent ?? parent + 1)) throw giveUp;
      lines.push(isBlank ? '' : this.#text.slice(at + (indent as number), stop));
      if (!isBlank) end = stop;
      at = stop + 1;
    }
    this.#at = Math.min(at, this.#text.length);
    this.#lineStart = this.#at;
    const value = joinLines(lines, isFolded, match[2] as string);
    return { kind: 'scalar', source: this.#source, start, end, value };
  }

  #readFlow(parent: number): Node {
    if (++this.#flows > depthLimit) throw giveUp;
    const node = this.#text[this.#at] === '[' ? this.#readFlowList(parent) : this.#readFlowMap(parent);
    this.#flows--;
    return node;
  }

  #readFlowList(parent: number): Node {
    const start = this.#at++;
    const items: Node[] = [];
    for (;;) {
      this.#skipFlow(parent);
      if (this.#text[this.#at] === ']') break;
      items.push(this.#readFlowValue(parent));
      if (this.#endsFlow(']', parent)) break;
    }
    return { kind: 'list', source: this.#source, start, end: ++this.#at, items };
  }

  #readFlowMap(parent: number): Node {
    const start = this.#at++;
    const entries = new Map<string, Entry>();
    for (;;) {
      this.#skipFlow(parent);
      if (this.#text[this.#at] === '}') break;
      const isQuoted = this.#text[this.#at] === '"' || this.#text[this.#at] === "'";
      const key = isQuoted ? this.#readQuoted() : this.#readFlowPlain();
      this.#skipSpaces();
      // After a quoted key the colon needs no space, as in JSON.
      if (this.#text[this.#at] !== ':' || !(isQuoted || this.#isSpace(this.#at + 1))) throw giveUp;
      this.#at++;
      this.#skipFlow(parent);
      if (this.#text[this.#at] === ',' || this.#text[this.#at] === '}') throw giveUp;
      this.#addEntry(entries, key, this.#readFlowValue(parent));
      if (this.#endsFlow('}', parent)) break;
    }
    return { kind: 'map', source: this.#source, start, end: ++this.#at, entries };
  }

  #readFlowValue(parent: number): Node {
    const char = this.#text[this.#at];
    if (char === '[' || char === '{') return this.#readFlow(parent);
    return char === '"' || char === "'" ? this.#readQuoted() : this.#readFlowPlain();
  }

  /** After a value: true at the end of the collection, false after a comma. */
  #endsFlow(close: string, parent: number): boolean {
    this.#skipFlow(parent);
    const char = this.#text[this.#at];
    if (char === close) return true;
    if (char !== ',') throw giveUp;
    this.#at++;
    return false;
  }

  #skipSpaces(): void {
    while (this.#text.charCodeAt(this.#at) === 32) this.#at++;
  }

  #skipFlow(parent: number): void {
    const line = this.#lineStart;
    this.#skipBlank();
    if (this.#at >= this.#text.length) throw giveUp;
    if (line === this.#lineStart || this.#column > parent) return;
    // Only the bracket that ends all may stand in the column of the key.
    if (this.#column < parent || this.#flows > 1 || !']}'.includes(this.#text[this.#at] as string)) throw giveUp;
  }

  #readFlowPlain(): ScalarNode {
    const start = this.#at;
    const text = this.#text;
    if (!this.#isPlainStart(start)) throw giveUp;
    let at = start;
    for (; at < text.length; at++) {
      const char = text[at] as string;
      if (char === ',' || char === '[' || char === ']' || char === '{' || char === '}' || char === '\n') break;
      if (char === '#' && text[at - 1] === ' ') break;
      if (char === ':' && (this.#isSpace(at + 1) || ',[]{}'.includes(text[at + 1] as string))) break;
    }
    const value = text.slice(start, at).trimEnd();
    this.#at = start + value.length;
    return { kind: 'scalar', source: this.#source, start, end: this.#at, value: resolveScalar(value) };
  }
}

/** Lines of a block scalar as one text; `chomp` is `-`, `+` or empty (YAML 1.2.2 §8.1). */
function joinLines(lines: string[], isFolded: boolean, chomp: string): string {
  let last = lines.length;
  while (last > 0 && lines[last - 1] === '') last--;
  let value = '';
  let blanks = 0;
  for (const [index, line] of lines.slice(0, last).entries()) {
    if (!isFolded) value += index === 0 ? line : `\n${line}`;
    else if (line === '') blanks++;
    else {
      const isFirst = index === blanks && value === '';
      value += isFirst || blanks > 0 ? '\n'.repeat(blanks) : ' ';
      value += line;
      blanks = 0;
    }
  }
  if (chomp === '-') return value;
  const trailing = lines.length - last;
  if (chomp === '+') return value + '\n'.repeat(last > 0 ? trailing + 1 : trailing);
  return last > 0 ? `${value}\n` : '';
}

function parseJsonString(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw giveUp;
  }
}
