import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import quickjs from '@jitl/quickjs-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSSyncVariant,
  type QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import { Failure } from '#base/failure.ts';

type AnyLoader = Awaited<ReturnType<QuickJSSyncVariant['importModuleLoader']>>;
type Loader = Extract<AnyLoader, (...args: never[]) => unknown>;
type EngineModule = Awaited<ReturnType<Loader>>;

/**
 * Reads the engine at `path`, and gives a function that makes one of it in a memory. Throws a Failure `helper/no-kit`
 * where there is none.
 */
export function loadQuickjs(path: string): (wasmMemory: WebAssembly.Memory) => Promise<QuickJSWASMModule> {
  const wasmModule = compileLazily(readEngine(path));
  return wasmMemory => {
    // The package's types are written for CommonJS, where the variant is a member.
    const variant = newVariant(quickjs as unknown as QuickJSSyncVariant, { wasmModule, wasmMemory });
    return newQuickJSWASMModuleFromVariant({
      ...variant,
      importModuleLoader: async () => {
        // A variant made by newVariant has the bare function.
        const load = (await variant.importModuleLoader()) as Loader;
        return async () => exchangeText(await load(), wasmMemory);
      },
    });
  };
}

/** Emscripten's functions go through a text by single characters. */
function exchangeText(module: EngineModule, memory: WebAssembly.Memory): EngineModule {
  let bytes = Buffer.from(memory.buffer);
  const view = () => {
    // A memory that has grown has another buffer.
    if (bytes.buffer !== memory.buffer) bytes = Buffer.from(memory.buffer);
    return bytes;
  };
  return Object.assign(module, {
    lengthBytesUTF8: (text: string) => Buffer.byteLength(text),
    stringToUTF8(text: string, at: number) {
      const end = at + view().write(text, at);
      bytes[end] = 0;
    },
    UTF8ToString: (at: number) => view().toString('utf8', at, bytes.indexOf(0, at)),
  });
}

/** Most of the engine is never called: its functions are checked, and compiled, when they are. */
function compileLazily(engine: Buffer<ArrayBuffer>): WebAssembly.Module {
  setFlagsFromString('--wasm-lazy-validation');
  const module = new WebAssembly.Module(engine);
  // Code that is kept for the next process is good only for the flags that a process starts with.
  setFlagsFromString('--no-wasm-lazy-validation');
  return module;
}

function readEngine(path: string): Buffer<ArrayBuffer> {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure('helper/no-kit', `the engine for JavaScript can't be read: ${(error as Error).message}`, {
      hint: 'Install the kit again (CWL: Reinstall the helper), or run `npm run build` in a checkout.',
      cause: error,
    });
  }
}
