import type { Problem } from '#base/problem.ts';
import { isUnclosed, parseInterpolation } from './interpolate.ts';
import type { Version } from './model.ts';
import { type MapNode, type Node, problemAt } from './node.ts';
import { parseReference } from './parameter-reference.ts';
import { isExpression } from './reading.ts';

/** Fields whose text is never evaluated, and processes that stand inside this one. */
const literal = new Set([
  'doc',
  'label',
  'default',
  'expressionLib',
  'dockerFile',
  'contents',
  'run',
  'intent',
  '$namespaces',
]);

/**
 * JavaScript in a process that does not ask for it: it is not evaluated (CWL v1.2, Expressions). And expressions that do
 * not end: they are text.
 */
export function checkExpressions(process: MapNode, version: Version, hasJavascript: boolean): Problem[] {
  const problems: Problem[] = [];
  const queue: Node[] = [process];
  for (let node = queue.pop(); node; node = queue.pop()) {
    if (node.kind === 'list') queue.push(...node.items);
    else if (node.kind === 'map') {
      for (const [name, { value }] of node.entries) if (!literal.has(name)) queue.push(value);
    } else if (typeof node.value === 'string' && isExpression(node.value)) {
      problems.push(...checkText(node, node.value, version, hasJavascript));
    }
  }
  return problems;
}

function checkText(node: Node, text: string, version: Version, hasJavascript: boolean): Problem[] {
  if (!hasJavascript && holdsJavascript(text, version)) {
    const message = 'This is JavaScript, which needs InlineJavascriptRequirement among the requirements.';
    return [problemAt(node, 'cwl/no-javascript', message, 'warning')];
  }
  if (!isUnclosed(text)) return [];
  const message =
    'An expression begins here and does not end, so that it is text. If that is meant, write a \\ before the $.';
  return [problemAt(node, 'cwl/unclosed-expression', message, 'warning')];
}

function holdsJavascript(text: string, version: Version): boolean {
  return parseInterpolation(text, version).some(
    part => typeof part !== 'string' && (part.isBody || parseReference(part.code) === undefined),
  );
}
