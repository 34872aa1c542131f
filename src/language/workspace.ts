import { Failure } from '#base/failure.ts';
import { type ParsedText, parseText } from '#cwl/parse-text.ts';
import type { Reader } from '#cwl/reader.ts';
import { decode } from '#cwl/uri.ts';

/** The documents that are open in the editor, as the server sees them. */
export interface OpenDocument {
  uri: string;
  version: number;
  text: string;
}

/** Texts behind URIs: open editors win over the disk, which only the editor can read. */
export class Workspace implements Reader {
  readonly #open = new Map<string, OpenDocument>();
  readonly #trees = new Map<string, { version: number; tree: Promise<ParsedText> }>();
  readonly #readFile: (uri: string) => Promise<string>;

  /** `readFile` asks the editor for a text that is in no open document. */
  constructor(readFile: (uri: string) => Promise<string>) {
    this.#readFile = readFile;
  }

  put(document: OpenDocument): void {
    this.#open.set(decode(document.uri), document);
  }

  close(uri: string): void {
    this.#open.delete(decode(uri));
    this.#trees.delete(decode(uri));
  }

  find(uri: string): OpenDocument | undefined {
    return this.#open.get(decode(uri));
  }

  get documents(): OpenDocument[] {
    return [...this.#open.values()];
  }

  async read(uri: string): Promise<string> {
    const document = this.find(uri);
    if (document) return document.text;
    // Not kept: the file may have changed, or be open in an editor of another language, by the next time.
    try {
      return await this.#readFile(uri);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Failure('cwl/not-readable', `${decode(uri.replace(/^file:\/\//, ''))} can't be read: ${reason}`, {
        cause: error,
      });
    }
  }

  /** The tree of an open document, parsed once for each of its versions. */
  parse(document: OpenDocument): Promise<ParsedText> {
    const key = decode(document.uri);
    const known = this.#trees.get(key);
    if (known && known.version === document.version) return known.tree;
    const tree = parseText(document.uri, document.text);
    this.#trees.set(key, { version: document.version, tree });
    return tree;
  }
}
