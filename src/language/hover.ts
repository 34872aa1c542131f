import type { Hover } from 'vscode-languageserver';
import { type Node, rangeOf, textOf } from '#cwl/node.ts';
import { rules } from '#cwl/schema-processes.ts';
import { formatShapes } from '#cwl/shape-text.ts';
import { fieldRuleOf, findSpot } from './spot.ts';

/** The documentation of the field, class or requirement at `offset`. */
export function findHover(root: Node, offset: number): Hover | null {
  const spot = findSpot(root, offset);
  if (!spot.entry) return null;
  const at = spot.isKey ? spot.entry.key : (spot.value ?? spot.entry.value);
  const text = describe(spot.isKey ? spot.field : textOf(spot.value), spot);
  return text === undefined ? null : { contents: { kind: 'markdown', value: text }, range: rangeOf(at) };
}

function describe(name: string | undefined, spot: ReturnType<typeof findSpot>): string | undefined {
  if (name === undefined) return undefined;
  const field = spot.isKey && spot.record !== undefined ? fieldRuleOf(spot.record, name) : undefined;
  if (field) {
    const since = field.since ? ` Since ${field.since}.` : '';
    const need = field.required ? 'required' : 'may be left out';
    return `**${name}** (${formatShapes(field.shapes)}; ${need})\n\n${field.doc}${since}`;
  }
  // A class is written as the value of `class`, or as a key among requirements.
  const isClass = spot.isKey ? spot.shapes.includes('requirements') : spot.field === 'class';
  const rule = isClass && Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (!rule) return undefined;
  const fields = Object.keys(rule.fields).filter(each => each !== 'class');
  return `**${name}**\n\n${rule.doc}${fields.length > 0 ? `\n\nFields: ${fields.join(', ')}` : ''}`;
}
