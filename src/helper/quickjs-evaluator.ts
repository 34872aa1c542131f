import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core';
import { Failure } from '#base/failure.ts';
import type { Evaluator } from '#cwl/evaluator.ts';
import type { Value } from '#cwl/model.ts';

/** One engine with its whole memory in reach: putting an earlier image of it back undoes all that ran since. */
interface Machine {
  context: QuickJSContext;
  memory: WebAssembly.Memory;
  /** Memory after a library was loaded, by the library's text; the empty one is the bare engine. */
  images: Map<string, Image>;
}
/** All memory that is in use, but for the C stack, which holds nothing between two calls. */
type Image = { at: number; bytes: Uint8Array }[];

const page = 65_536;
const initialPages = 256;

/**
 * QuickJS, in WebAssembly, in this process: no file system, no network, no processes. Each evaluation starts from an
 * image of the memory in which only the library has run, so nothing of it is left for the next, and a library is
 * compiled once. `seconds` and `megabytes` limit one evaluation.
 */
export async function createEvaluator(limits: { seconds?: number; megabytes?: number } = {}): Promise<Evaluator> {
  const { seconds = 30, megabytes = 256 } = limits;
  const loaded: unknown = (await import('@jitl/quickjs-singlefile-cjs-release-sync')).default;
  // A CommonJS default export arrives wrapped or bare, depending on who loads it.
  const bare = (isWrapped(loaded) ? loaded.default : loaded) as QuickJSSyncVariant;
  let deadline = 0;
  const build = async (): Promise<Machine> => {
    const memory = new WebAssembly.Memory({ initial: initialPages, maximum: (megabytes * 1_048_576) / page });
    const module = await newQuickJSWASMModuleFromVariant(newVariant(bare, { wasmMemory: memory }));
    const runtime = module.newRuntime();
    runtime.setMaxStackSize(200 * 1024);
    runtime.setInterruptHandler(() => Date.now() > deadline);
    const context = runtime.newContext();
    return { context, memory, images: new Map([['', takeImage(memory)]]) };
  };
  let machine = await build();
  let isReplacing = false;

  const run = (code: string): string => {
    deadline = Date.now() + seconds * 1000;
    const result = machine.context.evalCode(code, 'expression.js');
    if (result.error) throw toFailure(machine.context.dump(result.error), seconds, megabytes);
    return machine.context.getString(result.value);
  };
  const startFrom = (lib: readonly string[]): void => {
    const key = lib.join('\n');
    const image = machine.images.get(key);
    if (image) {
      putImage(machine.memory, image);
      return;
    }
    putImage(machine.memory, machine.images.get('') as Image);
    run(`"use strict";\n${key}\n;""`);
    if (machine.images.size > 50) machine.images = new Map([['', machine.images.get('') as Image]]);
    machine.images.set(key, takeImage(machine.memory));
  };

  return {
    evaluate(code, { isBody, scope, lib }): Value {
      try {
        startFrom(lib);
        return JSON.parse(run(toScript(code, isBody, scope)) || 'null') as Value;
      } catch (error) {
        if (error instanceof Failure) throw error;
        // The engine itself gave up, out of stack or memory: its state can't be trusted any more.
        throw new Failure('cwl/expression-limit', `the expression needs more memory than it may have`, {
          hint: `An expression may use ${megabytes} MB.`,
          cause: error,
        });
      } finally {
        if (machine.memory.buffer.byteLength > 64 * 1_048_576) void replace();
      }
    },
  };

  /** Memory of WebAssembly never shrinks: after a greedy expression the machine is exchanged. */
  async function replace(): Promise<void> {
    if (isReplacing) return;
    isReplacing = true;
    machine = await build();
    isReplacing = false;
  }
}

function toScript(code: string, isBody: boolean, scope: Record<string, Value>): string {
  const globals = Object.keys(scope).map(name => `globalThis.${name} = $scope.${name};`);
  const body = isBody ? code : `return (${code}\n);`;
  // The checks run with functions that the expression can't have replaced: a fresh memory starts each time.
  return `"use strict";
{ const $scope = JSON.parse(${JSON.stringify(JSON.stringify(scope))}); ${globals.join(' ')} }
(function () {
  const stringify = JSON.stringify, isFinite = Number.isFinite;
  const value = (function () { ${body}
  })();
  if (value === undefined) throw new TypeError("the expression gives undefined, not a value");
  if (typeof value === "function" || typeof value === "symbol") throw new TypeError("the expression gives a " + typeof value + ", not a value");
  return stringify(value, function (key, part) {
    if (typeof part === "number" && !isFinite(part)) throw new TypeError("the expression gives " + part + (key ? " in " + key : "") + ", which is not a JSON number");
    return part;
  });
})()`;
}

/** The C stack is the one long stretch of zeros in a fresh engine. */
const stackAtLeast = 16;

function takeImage(memory: WebAssembly.Memory): Image {
  const all = new Uint8Array(memory.buffer);
  let end = all.length / page;
  while (end > 0 && isZero(all, end - 1)) end--;
  const image: Image = [];
  for (let from = 0; from < end; ) {
    let to = from;
    while (to < end && isZero(all, to)) to++;
    if (to - from < stackAtLeast) while (to < end && !startsStack(all, to, end)) to++;
    else {
      from = to;
      continue;
    }
    image.push({ at: from * page, bytes: all.slice(from * page, to * page) });
    from = to;
  }
  return image;
}

function startsStack(all: Uint8Array, at: number, end: number): boolean {
  for (let i = at; i < at + stackAtLeast; i++) if (i >= end || !isZero(all, i)) return false;
  return true;
}

function isZero(all: Uint8Array, index: number): boolean {
  return Buffer.compare(all.subarray(index * page, (index + 1) * page), zeros) === 0;
}
const zeros = new Uint8Array(page);

function putImage(memory: WebAssembly.Memory, image: Image): void {
  const all = new Uint8Array(memory.buffer);
  for (const { at, bytes } of image) all.set(bytes, at);
}

function isWrapped(value: unknown): value is { default: unknown } {
  return typeof value === 'object' && value !== null && 'default' in value;
}

function toFailure(error: unknown, seconds: number, megabytes: number): Failure {
  const { name = 'Error', message = String(error) } = (error ?? {}) as { name?: string; message?: string };
  if (message === 'interrupted') {
    return new Failure('cwl/expression-limit', `the expression was stopped after ${seconds} s`, {
      hint: 'It may loop without end; --eval-timeout SECONDS gives it more time.',
    });
  }
  if (message === 'out of memory' || message === 'stack overflow') {
    return new Failure(
      'cwl/expression-limit',
      `the expression ran out of ${message === 'out of memory' ? 'memory' : 'stack'}`,
      {
        hint: `An expression may use ${megabytes} MB.`,
      },
    );
  }
  return new Failure('cwl/expression', typeof error === 'object' ? `${name}: ${message}` : message);
}
