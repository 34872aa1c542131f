/** Text of a log that grows: its head stays, of the rest only the end is kept. */
export class LogText {
  readonly #limit: number;
  readonly #head: string;
  #body = '';
  #isCut: boolean;

  /** `limit`: characters that are kept besides the head. `isCut`: what follows is not the beginning of the log. */
  constructor(limit: number, head: string, isCut: boolean) {
    this.#limit = limit;
    this.#head = head;
    this.#isCut = isCut;
  }

  append(text: string): void {
    this.#body += cleanText(text);
    // Cutting seldom, and then much, keeps long logs cheap.
    if (this.#body.length <= this.#limit * 1.5) return;
    const from = this.#body.length - this.#limit;
    const line = this.#body.indexOf('\n', from);
    this.#body = this.#body.slice(line < 0 ? from : line + 1);
    this.#isCut = true;
  }

  get isEmpty(): boolean {
    return this.#body === '';
  }

  toString(): string {
    return `${this.#head}${this.#isCut ? '… (earlier lines are left out here)\n' : ''}${this.#body}`;
  }
}

/** Colours and cursor movements of terminals (ECMA-48) mean nothing in a document; a progress bar is its last state. */
function cleanText(text: string): string {
  return text
    .replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, '')
    .replace(/\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, '')
    .replaceAll('\r\n', '\n')
    .replace(/^.*\r(?!$)/gm, '');
}
