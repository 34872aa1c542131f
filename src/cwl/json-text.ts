import type { Json } from './model.ts';
import { formatNumber } from './number.ts';

/**
 * JSON as string interpolation writes it: the entries of objects sorted by key, a space after commas and colons
 * (CWL v1.2, String interpolation; the spaces are what the reference implementation and the conformance tests have).
 */
export function formatJson(value: Json): string {
  if (typeof value === 'number') return formatNumber(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(formatJson).join(', ')}]`;
  const entries = Object.keys(value)
    .sort()
    .map(key => `${JSON.stringify(key)}: ${formatJson(value[key] ?? null)}`);
  return `{${entries.join(', ')}}`;
}
