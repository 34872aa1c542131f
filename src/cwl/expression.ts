import { Failure } from '#base/failure.ts';
import type { Evaluator } from './evaluator.ts';
import { type Part, parseInterpolation } from './interpolate.ts';
import { formatJson } from './json-text.ts';
import type { Expression, Place, Value, Version } from './model.ts';
import { findReferenced, parseReference, type Reference, resolveReference } from './parameter-reference.ts';

/** What the expressions of one execution of a process see. */
export interface Context {
  version: Version;
  inputs: Record<string, Value>;
  runtime: Record<string, Value>;
  /** `expressionLib`; undefined where InlineJavascriptRequirement is not in force. */
  lib: readonly string[] | undefined;
  evaluator: Evaluator | undefined;
}

/**
 * The effective value of a field that may hold parameter references and expressions (CWL v1.2, Parameter references,
 * String interpolation, Expressions). A text that is one expression with only white space around it keeps the type of
 * its value; with `keepSpace` (file contents of InitialWorkDirRequirement) the white space makes it a text.
 * Throws a Failure `cwl/expression` or `cwl/expression-limit` that begins with the place in the document.
 */
export function evaluate(
  text: Expression,
  context: Context,
  options: { place: Place; self?: Value; keepSpace?: boolean },
): Value {
  const parts = parseInterpolation(text, context.version);
  const [first] = parts;
  if (parts.length === 1 && typeof first === 'string') return first;
  if (parts.length === 0) return '';
  const scope = { inputs: context.inputs, self: options.self ?? null, runtime: context.runtime };
  try {
    const isBlank = (part: Part) => typeof part === 'string' && !options.keepSpace && part.trim() === '';
    const filled = parts.filter(part => !isBlank(part));
    const [only] = filled;
    if (filled.length === 1 && typeof only === 'object') return evaluatePart(only, scope, context);
    return parts.map(part => (typeof part === 'string' ? part : toText(evaluatePart(part, scope, context)))).join('');
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.code, `${formatPlace(options.place)}: ${shorten(text)}: ${error.message}`, {
      hint: error.hint,
    });
  }
}

/** As {@link evaluate}, for fields that must give a string. */
export function evaluateString(
  text: Expression,
  context: Context,
  options: { place: Place; self?: Value; what: string },
): string {
  const value = evaluate(text, context, options);
  if (typeof value === 'string') return value;
  throw new Failure(
    'cwl/expression',
    `${formatPlace(options.place)}: ${options.what} must be a string, ${shorten(text)} gives ${formatJson(value)}`,
  );
}

/** True where the text holds something to evaluate. */
export function isExpression(text: string): boolean {
  return text.includes('$(') || text.includes('${');
}

/** `path:line:column`, one-based; `file:` URIs are shown as paths. */
export function formatPlace(place: Place): string {
  const { line, character } = place.range.start;
  const path = place.uri.startsWith('file://') ? decodeURIComponent(place.uri.slice(7)) : place.uri;
  return `${path}:${line + 1}:${character + 1}`;
}

/** Text of a value inside a longer string: strings bare, everything else as JSON. */
export function toText(value: Value): string {
  return typeof value === 'string' ? value : formatJson(value);
}

const references = new Map<string, Reference | undefined>();

function evaluatePart(part: Exclude<Part, string>, scope: Record<string, Value>, context: Context): Value {
  const reference = part.isBody ? undefined : findReference(part.code);
  if (reference) {
    if (context.lib === undefined) return resolveReference(reference, scope);
    // JavaScript knows more, such as the length of a string; what it does not know either fails there.
    const found = findReferenced(reference, scope);
    if (found !== undefined) return found;
  }
  if (context.lib === undefined || !context.evaluator) {
    throw new Failure('cwl/expression', 'this is JavaScript, not a parameter reference', {
      hint: 'Add InlineJavascriptRequirement to the requirements.',
    });
  }
  return context.evaluator.evaluate(part.code, { isBody: part.isBody, scope, lib: context.lib });
}

function findReference(code: string): Reference | undefined {
  if (!references.has(code)) {
    if (references.size > 5000) references.clear();
    references.set(code, parseReference(code));
  }
  return references.get(code);
}

function shorten(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return line.length <= 120 ? line : `${line.slice(0, 117)}...`;
}
