/**
 * One component of a glob(3) pattern as a regular expression: `*`, `?`, `[...]` and backslash (POSIX.1-2017, XCU
 * §2.13). A leading period is matched by a period alone. Undefined where the component holds no pattern.
 */
export function toGlobExpression(component: string): RegExp | undefined {
  if (!/[*?[\\]/.test(component)) return undefined;
  let source = /^[*?[]/.test(component) ? '(?!\\.)' : '';
  for (let at = 0; at < component.length; at++) {
    const char = component[at] as string;
    if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '\\' && at + 1 < component.length) source += quote(component[++at] as string);
    else if (char === '[') {
      const set = readSet(component, at);
      source += set?.source ?? '\\[';
      at = set?.end ?? at;
    } else source += quote(char);
  }
  return new RegExp(`^${source}$`, 'su');
}

/** A bracket expression, where one starts at `at` and ends. */
function readSet(component: string, at: number): { source: string; end: number } | undefined {
  const isNegated = component[at + 1] === '!' || component[at + 1] === '^';
  const from = at + (isNegated ? 2 : 1);
  // A closing bracket that comes first stands for itself.
  const end = component.indexOf(']', from + 1);
  if (end < 0) return undefined;
  const members = component.slice(from, end).replace(/[\\\]^[]/g, '\\$&');
  return { source: `[${isNegated ? '^/' : ''}${members.replace(/^-|-$/g, '\\-')}]`, end };
}

function quote(char: string): string {
  return char.replace(/[$()*+./?[\\\]^{|}]/, '\\$&');
}
