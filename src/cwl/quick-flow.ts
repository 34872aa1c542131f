import type { Entry, Node, ScalarNode } from './node.ts';
import { giveUp } from './quick-cursor.ts';
import { QuickScalars } from './quick-scalars.ts';
import { resolveScalar } from './scalar.ts';

const depthLimit = 100;

/** Lists and maps in brackets (YAML 1.2.2 §7.4); JSON is nothing else. */
export class QuickFlow extends QuickScalars {
  /** Collections around the current place. */
  #flows = 0;

  protected readFlow(parent: number): Node {
    if (++this.#flows > depthLimit) throw giveUp;
    const node = this.text[this.at] === '[' ? this.#readFlowList(parent) : this.#readFlowMap(parent);
    this.#flows--;
    return node;
  }

  #readFlowList(parent: number): Node {
    const start = this.at++;
    const items: Node[] = [];
    for (;;) {
      this.#skipFlow(parent);
      if (this.text[this.at] === ']') break;
      items.push(this.#readFlowValue(parent));
      if (this.#endsFlow(']', parent)) break;
    }
    return { kind: 'list', source: this.source, start, end: ++this.at, items };
  }

  #readFlowMap(parent: number): Node {
    const start = this.at++;
    const entries = new Map<string, Entry>();
    for (;;) {
      this.#skipFlow(parent);
      if (this.text[this.at] === '}') break;
      const isQuoted = this.text[this.at] === '"' || this.text[this.at] === "'";
      const key = isQuoted ? this.readQuoted() : this.#readFlowPlain();
      this.skipSpaces();
      // After a quoted key the colon needs no space, as in JSON.
      if (this.text[this.at] !== ':' || !(isQuoted || this.isSpace(this.at + 1))) throw giveUp;
      this.at++;
      this.#skipFlow(parent);
      if (this.text[this.at] === ',' || this.text[this.at] === '}') throw giveUp;
      this.addEntry(entries, key, this.#readFlowValue(parent));
      if (this.#endsFlow('}', parent)) break;
    }
    return { kind: 'map', source: this.source, start, end: ++this.at, entries };
  }

  #readFlowValue(parent: number): Node {
    const char = this.text[this.at];
    if (char === '[' || char === '{') return this.readFlow(parent);
    return char === '"' || char === "'" ? this.readQuoted() : this.#readFlowPlain();
  }

  /** After a value: true at the end of the collection, false after a comma. */
  #endsFlow(close: string, parent: number): boolean {
    this.#skipFlow(parent);
    const char = this.text[this.at];
    if (char === close) return true;
    if (char !== ',') throw giveUp;
    this.at++;
    return false;
  }

  #skipFlow(parent: number): void {
    const line = this.lineStart;
    this.skipBlank();
    if (this.at >= this.text.length) throw giveUp;
    if (line === this.lineStart || this.column > parent) return;
    // Only the bracket that ends all may stand in the column of the key.
    if (this.column < parent || this.#flows > 1 || !']}'.includes(this.text[this.at] as string)) throw giveUp;
  }

  #readFlowPlain(): ScalarNode {
    const start = this.at;
    const text = this.text;
    if (!this.isPlainStart(start)) throw giveUp;
    let at = start;
    for (; at < text.length; at++) {
      const char = text[at] as string;
      if (char === ',' || char === '[' || char === ']' || char === '{' || char === '}' || char === '\n') break;
      if (char === '#' && text[at - 1] === ' ') break;
      if (char === ':' && (this.isSpace(at + 1) || ',[]{}'.includes(text[at + 1] as string))) break;
    }
    const raw = text.slice(start, at);
    if (raw.includes('\t')) throw giveUp;
    const value = raw.trimEnd();
    this.at = start + value.length;
    return { kind: 'scalar', source: this.source, start, end: this.at, value: resolveScalar(value) };
  }
}
