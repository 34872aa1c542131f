import type { ScalarNode } from './node.ts';

/** What a plain scalar means in YAML's core schema (YAML 1.2.2 §10.3.2). */
export function resolveScalar(text: string): ScalarNode['value'] {
  const first = text.charCodeAt(0);
  // Most texts begin with a letter that no other value begins with.
  const isOther = first === 46 || first === 43 || first === 45 || (first >= 48 && first <= 57);
  if (isOther) return resolveNumber(text);
  switch (text) {
    case '':
    case '~':
    case 'null':
    case 'Null':
    case 'NULL':
      return null;
    case 'true':
    case 'True':
    case 'TRUE':
      return true;
    case 'false':
    case 'False':
    case 'FALSE':
      return false;
  }
  return text;
}

function resolveNumber(text: string): number | string {
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  if (/^0o[0-7]+$/.test(text)) return Number.parseInt(text.slice(2), 8);
  if (/^0x[0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^\.(?:nan|NaN|NAN)$/.test(text) ? Number.NaN : text;
}
