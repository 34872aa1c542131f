import type { Problem } from '#base/problem.ts';
import { parseInterpolation } from './interpolate.ts';
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

/** JavaScript in a process that does not ask for it: it is not evaluated (CWL v1.2, Expressions). */
export function checkExpressions(process: MapNode, version: Version): Problem[] {
  const problems: Problem[] = [];
  const queue: Node[] = [process];
  for (let node = queue.pop(); node; node = queue.pop()) {
    if (node.kind === 'list') queue.push(...node.items);
    else if (node.kind === 'map') {
      for (const [name, { value }] of node.entries) if (!literal.has(name)) queue.push(value);
    } else if (typeof node.value === 'string' && isExpression(node.value) && holdsJavascript(node.value, version)) {
      const message = 'This is JavaScript, which needs InlineJavascriptRequirement among the requirements.';
      problems.push(problemAt(node, 'cwl/no-javascript', message, 'warning'));
    }
  }
  return problems;
}

function holdsJavascript(text: string, version: Version): boolean {
  return parseInterpolation(text, version).some(
    part => typeof part !== 'string' && (part.isBody || parseReference(part.code) === undefined),
  );
}
