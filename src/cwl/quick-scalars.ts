import type { ScalarNode } from './node.ts';
import { giveUp, QuickCursor } from './quick-cursor.ts';
import { resolveScalar } from './scalar.ts';

/** Plain, quoted and block scalars (YAML 1.2.2 §7.3, §8.1). */
export class QuickScalars extends QuickCursor {
  /** A plain scalar, which goes on over lines that are indented more than what holds it. */
  protected readPlain(parent: number): ScalarNode {
    const start = this.at;
    if (!this.isPlainStart(start)) throw giveUp;
    let value = this.#readPlainLine();
    let end = this.at;
    for (;;) {
      const hasComment = this.text[this.lineEndAfterSpaces(end)] === '#';
      const next = this.#nextLine(end);
      if (!next || next.column <= parent) break;
      // A comment ends the scalar: more of it after that is an error.
      if (hasComment || this.text[next.start] === '#') throw giveUp;
      this.at = next.start;
      this.lineStart = next.start - next.column;
      if (this.findPlainColon() !== undefined) throw giveUp;
      const line = this.#readPlainLine();
      value += (next.blanks > 0 ? '\n'.repeat(next.blanks) : ' ') + line;
      end = this.at;
    }
    return { kind: 'scalar', source: this.source, start, end, value: resolveScalar(value) };
  }

  /** The text up to the end of the line or a comment. */
  #readPlainLine(): string {
    const line = this.text.slice(this.at, this.lineEnd());
    const comment = line.indexOf(' #');
    const text = (comment < 0 ? line : line.slice(0, comment)).trimEnd();
    this.at += text.length;
    return text;
  }

  /** The next line with anything on it: where that begins, its column, and the number of blank lines before it. */
  #nextLine(from: number): { start: number; column: number; blanks: number } | undefined {
    let lineStart = this.text.indexOf('\n', from) + 1;
    for (let blanks = 0; lineStart > 0; blanks++) {
      const start = this.lineEndAfterSpaces(lineStart);
      if (start >= this.text.length) return undefined;
      if (this.text[start] !== '\n') return { start, column: start - lineStart, blanks };
      lineStart = start + 1;
    }
    return undefined;
  }

  protected readQuoted(): ScalarNode {
    const start = this.at;
    const quote = this.text[start] as string;
    const value = quote === '"' ? this.#readDouble() : this.#readSingle();
    return { kind: 'scalar', source: this.source, start, end: this.at, value };
  }

  #readSingle(): string {
    let value = '';
    for (let at = this.at + 1; ; ) {
      const end = this.text.indexOf("'", at);
      if (end < 0) throw giveUp;
      value += this.text.slice(at, end);
      at = end + 1;
      if (this.text[at] === "'") {
        value += "'";
        at++;
        continue;
      }
      this.at = at;
      if (value.includes('\n')) throw giveUp;
      return value;
    }
  }

  #readDouble(): string {
    const start = this.at;
    for (let at = start + 1; ; at++) {
      const char = this.text[at];
      if (char === undefined || char === '\n') throw giveUp;
      if (char === '\\') at++;
      else if (char === '"') {
        this.at = at + 1;
        const inner = this.text.slice(start, at + 1);
        if (!inner.includes('\\')) return inner.slice(1, -1);
        // JSON and YAML agree on these escapes; YAML has more.
        if (/\\[^"\\/bfnrtu]/.test(inner.replaceAll('\\\\', ''))) throw giveUp;
        return parseJsonString(inner);
      }
    }
  }

  protected readBlockScalar(parent: number): ScalarNode {
    const start = this.at;
    const header = this.text.slice(start, this.lineEnd()).trimEnd();
    const match = /^([|>])([+-]?)$/.exec(header);
    if (!match) throw giveUp;
    const isFolded = match[1] === '>';
    const lines: string[] = [];
    let indent: number | undefined;
    let end = start + header.length;
    let at = this.lineEnd() + 1;
    while (at < this.text.length) {
      const stop = this.text.indexOf('\n', at);
      if (stop < 0) throw giveUp;
      const first = this.lineEndAfterSpaces(at);
      const isBlank = this.text[first] === '\n';
      if (!isBlank) {
        if (first - at <= parent) break;
        indent ??= first - at;
        // Less than the first line, or deeper inside a folded text: rules of their own.
        if (first - at < indent || (isFolded && first - at > indent)) throw giveUp;
      }
      if (isBlank && first - at > (indent ?? parent + 1)) throw giveUp;
      lines.push(isBlank ? '' : this.text.slice(at + (indent as number), stop));
      if (!isBlank) end = stop;
      at = stop + 1;
    }
    this.at = Math.min(at, this.text.length);
    this.lineStart = this.at;
    const value = joinLines(lines, isFolded, match[2] as string);
    return { kind: 'scalar', source: this.source, start, end, value };
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
