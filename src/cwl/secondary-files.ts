import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace, isExpression } from './expression.ts';
import { type FileValue, isPath, type PathValue, splitName } from './file-value.ts';
import type { Place, SecondaryFile, Value } from './model.ts';

/** What one entry of `secondaryFiles` asks for: names beside the primary file, or objects. */
export interface SecondaryWish {
  wanted: (string | PathValue)[];
  required: boolean;
}

/**
 * What `rules` ask for beside `primary` (CWL v1.2, secondaryFiles). `requiredByDefault`: true for inputs, false for
 * outputs.
 */
export function planSecondaryFiles(
  primary: FileValue,
  rules: readonly SecondaryFile[],
  context: Context,
  options: { requiredByDefault: boolean; place: Place },
): SecondaryWish[] {
  const { place } = options;
  const self = primary as Value;
  return rules.map(rule => {
    const wish = isExpression(rule.pattern)
      ? evaluate(rule.pattern, context, { self, place })
      : applyPattern(primary.basename ?? '', rule.pattern);
    const wanted = (Array.isArray(wish) ? wish : [wish]).filter(item => item !== null);
    for (const item of wanted) {
      if (typeof item !== 'string' && !isPath(item)) {
        throw new Failure(
          'cwl/expression',
          `${formatPlace(place)}: secondaryFiles must give names, Files or Directories, ${rule.pattern} gives ${JSON.stringify(item)}`,
        );
      }
    }
    const required =
      typeof rule.required === 'string' ? evaluate(rule.required, context, { self, place }) : rule.required;
    return {
      wanted: wanted as (string | PathValue)[],
      required: required === undefined ? options.requiredByDefault : required === true,
    };
  });
}

/** Each caret removes an extension, the rest is appended (CWL v1.2, secondaryFiles). */
export function applyPattern(basename: string, pattern: string): string {
  let name = basename;
  let rest = pattern;
  for (; rest.startsWith('^'); rest = rest.slice(1)) name = splitName(name).nameroot;
  return name + rest;
}
