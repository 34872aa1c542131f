/** Splits text that arrives in pieces into lines; the unfinished last one waits for its rest. */
export class LineSplitter {
  #rest = '';

  /** The lines that `chunk` completes, without their line ends. */
  push(chunk: string): string[] {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }

  /** What is left when the text ended without a line end. */
  flush(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}
