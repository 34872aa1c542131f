import { randomBytes } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { formatCommand } from '#base/command.ts';

/**
 * What the login shell is told, whichever it is: sh, bash, csh, tcsh, fish and zsh read this line alike. The script
 * comes on standard input, so that no shell but `/bin/sh` reads it, and the bytes after it are the script's own input.
 */
export function planShell(script: Buffer): string {
  return `exec /bin/sh -c 'eval "$(head -c ${script.length})"'`;
}

/** The same for a terminal, whose standard input is a person's: the script is in the line, with all but letters escaped. */
export function planTerminalShell(script: string): string {
  // Octal escapes of printf(1): no character of them means anything to any shell inside single quotes.
  const escaped = [...Buffer.from(script)].map(byte => {
    const letter = String.fromCharCode(byte);
    return /[A-Za-z0-9 _./=:,-]/.test(letter) ? letter : `\\0${byte.toString(8).padStart(3, '0')}`;
  });
  return `exec /bin/sh -c 'eval "$(printf %b "$0")"' '${escaped.join('')}'`;
}

/** A script, or a program with its arguments. */
export type Program = string | readonly string[];

export function toScript(program: Program): string {
  return typeof program === 'string' ? program : `exec ${formatCommand(program)}`;
}

/** A line that no start-up file prints. */
export function makeMarker(): string {
  return `cwl-on-clusters-${randomBytes(9).toString('hex')}`;
}

/** `script` behind a marker on both outputs: what login shells and their start-up files print stands before it. */
export function markScript(script: string, marker: string): Buffer {
  return Buffer.from(`printf '%s\\n' ${marker}; printf '%s\\n' ${marker} >&2\n${script}\n`);
}

/** Passes on what follows the line `marker`; `noise` keeps the end of what was before it. */
export class MarkerSkipper extends Transform {
  readonly #marker: Buffer;
  #pending: Buffer | undefined = Buffer.alloc(0);

  constructor(marker: string) {
    super();
    this.#marker = Buffer.from(`${marker}\n`);
  }

  get isFound(): boolean {
    return this.#pending === undefined;
  }

  get noise(): string {
    return this.#pending?.toString('utf8').slice(-2000).trim() ?? '';
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    if (this.#pending === undefined) {
      callback(null, chunk);
      return;
    }
    const seen = Buffer.concat([this.#pending, chunk]);
    const at = seen.indexOf(this.#marker);
    if (at < 0) {
      // Only the end can hold the beginning of the marker; the rest is kept for a message.
      this.#pending = seen.subarray(-16_384);
      callback();
      return;
    }
    this.#pending = undefined;
    callback(null, seen.subarray(at + this.#marker.length));
  }
}
