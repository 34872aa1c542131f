import type { QuickJSContext, QuickJSHandle } from 'quickjs-emscripten-core';
import { Failure } from '#base/failure.ts';
import type { Evaluator } from '#cwl/evaluator.ts';
import type { Value } from '#cwl/model.ts';
import { EngineMemory, type MemoryImage } from './engine-memory.ts';
import { loadQuickjs } from './quickjs-module.ts';

/** One engine with its whole memory in reach: putting an earlier image of it back undoes all that ran since. */
interface Machine {
  context: QuickJSContext;
  memory: EngineMemory;
  /** `run(expression, scope)` of {@link runner}. */
  run: QuickJSHandle;
  /** By the text of a library; the empty text is the bare engine. */
  libraries: Map<string, Library>;
}

/** What evaluations with one library start from. */
interface Library {
  /** Memory after the library was loaded and the functions below were compiled. */
  image: MemoryImage;
  /** Expressions that were met more than once, compiled, by their script. */
  functions: Map<string, QuickJSHandle>;
  met: Set<string>;
}

/** How many libraries, and expressions of each, are kept ready. */
const limits = { libraries: 50, expressions: 500 };

const page = 65_536;
const initialPages = 256;

/**
 * QuickJS, in WebAssembly, in this process: no file system, no network, no processes. Each evaluation starts from an
 * image of the memory in which only the library has run, so nothing of it is left for the next; a library, and an
 * expression that comes again, are compiled once. `seconds` and `megabytes` limit one evaluation.
 */
export async function createEvaluator(
  engine: string,
  options: { seconds?: number; megabytes?: number } = {},
): Promise<Evaluator> {
  const { seconds = 30, megabytes = 256 } = options;
  const instantiate = loadQuickjs(engine);
  let deadline = 0;
  const build = async (): Promise<Machine> => {
    const wasmMemory = new WebAssembly.Memory({ initial: initialPages, maximum: (megabytes * 1_048_576) / page });
    const runtime = (await instantiate(wasmMemory)).newRuntime();
    runtime.setMaxStackSize(200 * 1024);
    runtime.setInterruptHandler(() => Date.now() > deadline);
    const context = runtime.newContext();
    deadline = Number.POSITIVE_INFINITY;
    const run = context.unwrapResult(context.evalCode(runner, 'runner.js'));
    const memory = new EngineMemory(wasmMemory, context);
    const bare: Library = { image: memory.takeImage(), functions: new Map(), met: new Set() };
    return { context, memory, run, libraries: new Map([['', bare]]) };
  };
  let machine = await build();
  let isReplacing = false;

  const evaluateScript = (script: string): QuickJSHandle => {
    const result = machine.context.evalCode(script, 'expression.js');
    if (result.error) throw toFailure(machine.context.dump(result.error), seconds, megabytes);
    return result.value;
  };
  /** Puts the memory into the state in which the library has just been loaded. */
  const openLibrary = (lib: readonly string[]): Library => {
    const key = lib.join('\n');
    const known = machine.libraries.get(key);
    const bare = machine.libraries.get('') as Library;
    machine.memory.putImage((known ?? bare).image);
    if (known) return known;
    evaluateScript(`"use strict";\n${key}\n;""`);
    if (machine.libraries.size > limits.libraries) machine.libraries = new Map([['', bare]]);
    const library = { image: machine.memory.takeImage(), functions: new Map(), met: new Set<string>() };
    machine.libraries.set(key, library);
    return library;
  };
  const compile = (script: string, library: Library): QuickJSHandle => {
    const { functions, met } = library;
    const known = functions.get(script);
    if (known) return known;
    if (!met.has(script) || functions.size + met.size > limits.expressions) {
      const compiled = evaluateScript(script);
      if (met.size < limits.expressions) met.add(script);
      return compiled;
    }
    // Those that were met together come again together: one image is enough for all of them.
    for (const each of met) functions.set(each, evaluateScript(each));
    met.clear();
    library.image = machine.memory.takeImage();
    return functions.get(script) as QuickJSHandle;
  };

  return {
    evaluate(code, { isBody, scope, lib }): Value {
      try {
        deadline = Date.now() + seconds * 1000;
        const { context, run } = machine;
        const expression = compile(toScript(code, isBody), openLibrary(lib));
        const text = context.newString(JSON.stringify(scope));
        const result = context.callFunction(run, context.undefined, expression, text);
        if (result.error) throw toFailure(context.dump(result.error), seconds, megabytes);
        return JSON.parse(context.getString(result.value)) as Value;
      } catch (error) {
        if (error instanceof Failure) throw error;
        // The engine itself gave up, out of stack or memory: its state can't be trusted any more.
        throw new Failure('cwl/expression-limit', `the expression needs more memory than it may have`, {
          hint: `An expression may use ${megabytes} MB.`,
          cause: error,
        });
      } finally {
        if (machine.memory.byteLength > 64 * 1_048_576) void replace();
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

/**
 * Runs before anything else in an engine, so that the functions that it keeps are those of the engine itself. What is
 * no JSON number would become null in the text: only then is it looked for.
 */
const runner = `"use strict";
(function (parse, stringify, isFinite, global) {
  function refuse(key, part) {
    if (typeof part === "number" && !isFinite(part)) throw new TypeError("the expression gives " + part + (key ? " in " + key : "") + ", which is not a JSON number");
    return part;
  }
  return function (expression, text) {
    const scope = parse(text);
    global.inputs = scope.inputs;
    global.self = scope.self;
    global.runtime = scope.runtime;
    const value = expression();
    if (value === undefined) throw new TypeError("the expression gives undefined, not a value");
    if (typeof value === "function" || typeof value === "symbol") throw new TypeError("the expression gives a " + typeof value + ", not a value");
    const result = stringify(value);
    return result === undefined ? "null" : /null/.test(result) ? stringify(value, refuse) : result;
  };
})(JSON.parse, JSON.stringify, Number.isFinite, globalThis)`;

function toScript(code: string, isBody: boolean): string {
  return `"use strict";\n(function () { ${isBody ? code : `return (${code}\n);`}\n})`;
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
