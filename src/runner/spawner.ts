import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { Command, Exit } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import type { Starter, Streams, Task } from './spawn.ts';

/** A task that was asked for: how it is told what became of it. */
interface Asked {
  start(pid: number): void;
  end(exit: Exit): void;
  fail(error: unknown): void;
}

/**
 * Starts tasks through the kit's `spawner` (native/spawner.c tells what the two say to each other): a fork of this
 * process would copy its page tables, which takes longer than many a task does. The program is started with the first
 * task, and ends all tasks when this process ends, however that comes.
 */
export class Spawner implements Starter {
  readonly #command: string[];
  readonly #asked = new Map<string, Asked>();
  #child: ChildProcess | undefined;
  #last = 0;
  #rest = '';

  /** `front`: what the program is started in, the beginning of its command line. */
  constructor(program: string, front: readonly string[] = []) {
    this.#command = [...front, program];
  }

  async start(command: Command, streams: Streams): Promise<Task> {
    const id = String(++this.#last);
    const request = formatRequest(id, command, streams);
    return new Promise((start, refuse) => {
      const exit = new Promise<Exit>((end, giveUp) => {
        const fail = (error: unknown) => {
          refuse(error);
          giveUp(error);
        };
        this.#asked.set(id, { start: pid => start({ pid, exit }), end, fail });
      });
      // Who waits for the start is told already.
      exit.catch(() => {});
      this.#open().stdin?.write(request);
    });
  }

  /** Ends the program, and with it all tasks that still run. */
  async close(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    const end = new Promise(resolve => child.once('exit', resolve).once('error', resolve));
    child.stdin?.end();
    await end;
  }

  #open(): ChildProcess {
    if (this.#child) return this.#child;
    // A session of its own: what is typed at a terminal is for this process, which then ends the tasks in order.
    const [file = '', ...args] = this.#command;
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    const giveUp = (cause?: unknown) => {
      if (this.#child === child) this.#child = undefined;
      const failure = new Failure('runner/spawner', 'the program that starts the tasks has ended', { cause });
      for (const { fail } of this.#asked.values()) fail(failure);
      this.#asked.clear();
    };
    child.on('error', giveUp);
    child.on('exit', () => giveUp());
    // Its end is told by the events above.
    child.stdin?.on('error', () => {});
    child.stdout?.setEncoding('latin1').on('data', (text: string) => this.#read(text));
    this.#child = child;
    this.#rest = '';
    return child;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#handle(line.split(' '));
  }

  #handle([what, id = '', first, second]: string[]): void {
    const asked = this.#asked.get(id);
    if (!asked) return;
    if (what === 'started') asked.start(Number(first));
    else this.#asked.delete(id);
    if (what === 'ended') asked.end(toExit(Number(first), Number(second)));
    else if (what === 'failed') asked.fail(toError(Number(first), second ?? ''));
  }
}

/** Length, then fields that end with a zero byte; throws where a field holds one itself. */
function formatRequest(id: string, command: Command, streams: Streams): Buffer {
  const environment = Object.entries(command.env ?? process.env).map(([name, value]) => `${name}=${value}`);
  const fields = [id, command.cwd ?? process.cwd(), streams.stdin ?? '', streams.stdout, streams.stderr];
  fields.push(String(command.argv.length), ...command.argv, ...environment);
  const bad = fields.find(field => field.includes('\0'));
  if (bad !== undefined) {
    throw new Failure('runner/spawn', `a zero byte can't be handed to a program: ${JSON.stringify(bad.slice(0, 200))}`);
  }
  const text = `${fields.join('\0')}\0`;
  const length = Buffer.byteLength(text);
  const request = Buffer.allocUnsafe(4 + length);
  request.writeUInt32LE(length);
  request.write(text, 4);
  return request;
}

function toExit(code: number, signal: number): Exit {
  return signal === 0 ? { code, signal: null } : { code: null, signal: signalNames.get(signal) ?? `signal ${signal}` };
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function toError(number: number, what: string): Error {
  const code = getSystemErrorName(-number);
  return Object.assign(new Error(`${what} ${code}`), { code, syscall: what });
}
