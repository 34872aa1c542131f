import type { Version } from './model.ts';

/** A piece of a field's text: literal characters, or the code of `$(...)` (an expression) or `${...}` (a function body). */
export type Part = string | { code: string; isBody: boolean };

const cache = new Map<string, Part[]>();

/**
 * Splits a field into text and expressions, with escapes replaced as the version says (CWL v1.2, String
 * interpolation; v1.0 and v1.1 drop each backslash that stands before another character). Text without `$(` and
 * `${` stays as it is. An expression that does not end is text.
 */
export function parseInterpolation(text: string, version: Version): Part[] {
  if (!text.includes('$(') && !text.includes('${')) return [text];
  const key = `${version === 'v1.0' || version === 'v1.1' ? 'old' : 'new'} ${text}`;
  let parts = cache.get(key);
  if (!parts) {
    parts = scan(text, key.startsWith('old'));
    if (cache.size > 5000) cache.clear();
    cache.set(key, parts);
  }
  return parts;
}

/** True where an expression begins that does not end, which is text then. */
export function isUnclosed(text: string): boolean {
  let found = false;
  scan(text, false, () => {
    found = true;
  });
  return found;
}

function scan(text: string, isOld: boolean, onUnclosed?: () => void): Part[] {
  const parts: Part[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string;
    const next = text[at + 1];
    if (char === '\\' && next !== undefined) {
      const isEscape = next === '\\' || (next === '$' && (text[at + 2] === '(' || text[at + 2] === '{'));
      if (isEscape && next === '$') {
        literal += text.slice(at + 1, at + 3);
        at += 3;
      } else {
        literal += isEscape || isOld ? next : char + next;
        at += 2;
      }
      continue;
    }
    const isStart = char === '$' && (next === '(' || next === '{');
    const end = isStart ? findEnd(text, at + 1) : undefined;
    if (end === undefined) {
      if (isStart) onUnclosed?.();
      literal += char;
      at++;
      continue;
    }
    if (literal) parts.push(literal);
    literal = '';
    parts.push({ code: text.slice(at + 2, end), isBody: next === '{' });
    at = end + 1;
  }
  if (literal) parts.push(literal);
  return parts;
}

/** Index of the bracket that closes the one at `start`, skipping strings, comments and regular expressions. */
function findEnd(text: string, start: number): number | undefined {
  const open: string[] = [];
  let before = '';
  for (let at = start; at < text.length; at++) {
    const char = text[at] as string;
    if (/\s/.test(char)) continue;
    if (char === '(' || char === '{' || char === '[') open.push(char === '(' ? ')' : char === '{' ? '}' : ']');
    else if (char === ')' || char === '}' || char === ']') {
      if (open.pop() !== char) return undefined;
      if (open.length === 0) return at;
    } else {
      const end = findLiteralEnd(text, at, before);
      if (end === undefined) return undefined;
      at = end;
    }
    before = text.slice(Math.max(start, at - 6), at + 1);
  }
  return undefined;
}

/** Last index of the string, comment or regular expression that starts at `at`; `at` itself where none does. */
function findLiteralEnd(text: string, at: number, before: string): number | undefined {
  const char = text[at] as string;
  if (char === '"' || char === "'" || char === '`') return findUnescaped(text, at + 1, char);
  if (char !== '/') return at;
  if (text[at + 1] === '/') {
    const end = text.indexOf('\n', at);
    return end < 0 ? undefined : end;
  }
  if (text[at + 1] === '*') {
    const end = text.indexOf('*/', at + 2);
    return end < 0 ? undefined : end + 1;
  }
  // A slash after an operand divides; elsewhere it starts a regular expression.
  const isOperand = /[\w$)\]]$/.test(before) && !/\b(?:return|typeof|case|in)$/.test(before);
  return isOperand ? at : findRegularExpressionEnd(text, at + 1);
}

function findUnescaped(text: string, from: number, quote: string): number | undefined {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at;
  }
  return undefined;
}

function findRegularExpressionEnd(text: string, from: number): number | undefined {
  let inClass = false;
  for (let at = from; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) return at;
  }
  return undefined;
}
