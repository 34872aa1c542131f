/**
 * A reader of the YAML that people and programs write, some ten times as fast to load and run as the general one.
 * It reads or gives up, and never guesses: anchors, tags, complex keys, tabs, several documents and anything that looks
 * wrong are left to `yaml-text`, which knows the whole language and says what is wrong. Both give the same tree.
 */
import type { Entry, Node, ScalarNode, Source } from './node.ts';
import { giveUp } from './quick-cursor.ts';
import { QuickFlow } from './quick-flow.ts';
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

const depthLimit = 100;

/** Lists and maps by indentation (YAML 1.2.2 §8.2). */
class QuickReader extends QuickFlow {
  #depth = 0;

  read(): Node | undefined {
    if (/[\r\u0085\u2028\u2029\uFEFF]/.test(this.text) || /^(?:%|\.\.\.)/m.test(this.text)) throw giveUp;
    if (!this.allowsTabs && this.text.includes('\t')) throw giveUp;
    this.skipBlank();
    if (this.text.startsWith('---\n', this.at) && this.at === this.lineStart) {
      this.at += 3;
      this.skipBlank();
    }
    if (/^---/m.test(this.text.slice(this.at))) throw giveUp;
    if (this.at >= this.text.length) throw giveUp;
    const root = this.#readBlock(-1);
    this.skipBlank();
    if (this.at < this.text.length) throw giveUp;
    return root;
  }

  /** A value of which the first character is next; `parent` is the column of what holds it. */
  #readBlock(parent: number): Node {
    if (++this.#depth > depthLimit) throw giveUp;
    const node = this.#readBlockNode(parent);
    this.#depth--;
    return node;
  }

  #readBlockNode(parent: number): Node {
    const char = this.text[this.at] as string;
    if (char === '-' && this.isSpace(this.at + 1)) return this.#readList();
    if (char !== '[' && char !== '{' && char !== '|' && char !== '>' && this.#findColon() !== undefined)
      return this.#readMap();
    return this.#readInline(parent);
  }

  #readList(): Node {
    const column = this.column;
    const start = this.at;
    const items: Node[] = [];
    let end = start;
    while (this.column === column && this.text[this.at] === '-' && this.isSpace(this.at + 1)) {
      const dash = this.at++;
      const item = this.#readValue(column, column + 1, dash + 1);
      items.push(item);
      end = item.end;
      this.skipBlank();
    }
    if (this.at < this.text.length && this.column > column) throw giveUp;
    return { kind: 'list', source: this.source, start, end, items };
  }

  #readMap(): Node {
    const column = this.column;
    const start = this.at;
    const entries = new Map<string, Entry>();
    let end = start;
    while (this.at < this.text.length && this.column === column) {
      if (this.text[this.at] === '-' && this.isSpace(this.at + 1)) throw giveUp;
      const colon = this.#findColon();
      if (colon === undefined) throw giveUp;
      const key = this.#readKey(colon);
      this.at = colon + 1;
      // A list may stand in the column of its key.
      const value = this.#readValue(column, column, colon + 1);
      this.addEntry(entries, key, value);
      end = value.end;
      this.skipBlank();
    }
    if (this.at < this.text.length && this.column > column) throw giveUp;
    return { kind: 'map', source: this.source, start, end, entries };
  }

  /** What follows a dash or a colon: on this line, or indented on the next ones; `least` is where a list may begin. */
  #readValue(column: number, least: number, after: number): Node {
    const line = this.lineStart;
    this.skipBlank();
    const isSameLine = line === this.lineStart;
    if (isSameLine && this.at < this.text.length) {
      const isDash = this.text[this.at] === '-' && this.isSpace(this.at + 1);
      // After a colon only a value that ends on this line, or a block of its own, may follow.
      if (least === column) return this.#readInlineOnly(column, isDash);
      return this.#readBlock(column);
    }
    const isDeeper = this.column > column;
    const isList = this.column >= least && this.text[this.at] === '-' && this.isSpace(this.at + 1);
    if (this.at < this.text.length && (isDeeper || isList)) return this.#readBlock(column);
    return { kind: 'scalar', source: this.source, start: after, end: after, value: null };
  }

  #readInlineOnly(column: number, isDash: boolean): Node {
    if (isDash) throw giveUp;
    const char = this.text[this.at];
    const isOpen = char === '[' || char === '{' || char === '|' || char === '>';
    if (!isOpen && this.#findColon() !== undefined) throw giveUp;
    return this.#readInline(column);
  }

  /** A scalar or a flow collection, and nothing after it on its last line. */
  #readInline(parent: number): Node {
    const char = this.text[this.at];
    let node: Node;
    if (char === '[' || char === '{') node = this.readFlow(parent);
    else if (char === '|' || char === '>') return this.readBlockScalar(parent);
    else if (char === '"' || char === "'") node = this.readQuoted();
    else return this.readPlain(parent);
    const end = this.lineEnd();
    if (!/^ *(?: #.*)?$/.test(this.text.slice(this.at, end))) throw giveUp;
    return node;
  }

  /** Offset of the colon that makes the rest of this line begin with a key. */
  #findColon(): number | undefined {
    const text = this.text;
    const first = text[this.at];
    if (first === '"' || first === "'") {
      const start = this.at;
      this.readQuoted();
      let at = this.at;
      this.at = start;
      while (text.charCodeAt(at) === 32) at++;
      return text[at] === ':' && this.isSpace(at + 1) ? at : undefined;
    }
    return this.findPlainColon();
  }

  #readKey(colon: number): ScalarNode {
    const start = this.at;
    const first = this.text[start] as string;
    if (first === '"' || first === "'") return this.readQuoted();
    if (!this.isPlainStart(start)) throw giveUp;
    const text = this.text.slice(start, colon).trimEnd();
    // YAML has no keys of more than 1024 characters.
    if (text.length > 1000) throw giveUp;
    return { kind: 'scalar', source: this.source, start, end: start + text.length, value: resolveScalar(text) };
  }
}
