/** Park and Miller's, so that a seed means the same everywhere. */
export function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state;
  };
}
