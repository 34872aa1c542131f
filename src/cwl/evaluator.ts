import type { Value } from './model.ts';

/** Runs JavaScript for `InlineJavascriptRequirement` without file system, network or processes; the helper hands one in. */
export interface Evaluator {
  /**
   * Evaluates `code` (an expression, or with `isBody` a function body) with the variables of `scope` and the given
   * `lib` in front of it, in a fresh global scope.
   * Throws a Failure `cwl/expression` with the JavaScript message, or `cwl/expression-limit` on time or memory.
   */
  evaluate(code: string, options: { isBody: boolean; scope: Record<string, Value>; lib: readonly string[] }): Value;
}
