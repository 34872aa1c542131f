import type { QuickJSContext } from 'quickjs-emscripten-core';

/** All that lasts from one call into the engine to the next: its static data, and its heap up to where it is used. */
export interface MemoryImage {
  statics: Uint8Array;
  heap: Uint8Array;
}

/**
 * The memory of an engine: static data, then the C stack, which holds nothing between two calls, then the heap, of
 * which nothing is used above `top` (malloc(3) of Emscripten, dlmalloc, gives memory out again only below it).
 */
export class EngineMemory {
  #memory: WebAssembly.Memory;
  /** Where the allocator keeps `top`, as an index of words. */
  #topAt: number;
  #staticsEnd: number;
  #heapStart: number;

  /** `context` has to be fresh: the longest stretch of zeros is its stack only then. */
  constructor(memory: WebAssembly.Memory, context: QuickJSContext) {
    this.#memory = memory;
    this.#staticsEnd = findZeros(memory, 0, block);
    this.#topAt = findTop(memory, this.#staticsEnd, context);
    this.#heapStart = findZeros(memory, this.#top - (this.#top % block) - block, -block) + block;
    const stack = this.#heapStart - this.#staticsEnd;
    if (stack < leastStack) throw new Error(`the engine has a stack of ${stack} bytes`);
  }

  get byteLength(): number {
    return this.#memory.buffer.byteLength;
  }

  takeImage(): MemoryImage {
    const all = new Uint8Array(this.#memory.buffer);
    return { statics: all.slice(0, this.#staticsEnd), heap: all.slice(this.#heapStart, this.#top) };
  }

  putImage({ statics, heap }: MemoryImage): void {
    const all = new Uint8Array(this.#memory.buffer);
    all.set(statics);
    all.set(heap, this.#heapStart);
  }

  get #top(): number {
    return new Uint32Array(this.#memory.buffer)[this.#topAt] as number;
  }
}

const block = 4096;
const leastStack = 1_048_576;
/** More than any free part of a fresh heap. */
const probe = 65_536;
/** What the allocator may add to a part: its header and what fills it up. */
const slack = 64;

/** The one static word that moves by what is allocated, and back when that is freed. */
function findTop(memory: WebAssembly.Memory, staticsEnd: number, context: QuickJSContext): number {
  const read = () => new Uint32Array(memory.buffer.slice(0, staticsEnd));
  const before = read();
  const allocated = context.newArrayBuffer(new ArrayBuffer(probe));
  const between = read();
  allocated.dispose();
  const after = read();
  const found: number[] = [];
  for (let index = 0; index < between.length; index++) {
    const moved = (between[index] as number) - (before[index] as number);
    if (moved >= probe && moved <= probe + slack && after[index] === before[index]) found.push(index);
  }
  const [only] = found;
  if (only === undefined || found.length > 1) throw new Error(`the end of the engine's heap is not found`);
  return only;
}

/** The first of the blocks of zeros, from a block on and in steps. */
function findZeros(memory: WebAssembly.Memory, from: number, step: number): number {
  const all = Buffer.from(memory.buffer);
  let at = from;
  while (all.compare(zeros, 0, block, at, at + block) !== 0) at += step;
  return at;
}
const zeros = Buffer.alloc(block);
