import { posix } from 'node:path';

/**
 * A pattern of paths as Go's filepath.Match reads it, with `**` for any number of folders (moby, patternmatcher). Matches
 * whole relative paths.
 */
export function parsePathPattern(pattern: string): RegExp {
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const letter = pattern[i] as string;
    if (letter === '*' && pattern[i + 1] === '*') {
      i++;
      if (pattern[i + 1] === '/') {
        i++;
        source += '(?:.*/)?';
      } else source += '.*';
    } else if (letter === '*') source += '[^/]*';
    else if (letter === '?') source += '[^/]';
    else if (letter === '\\' && i + 1 < pattern.length) source += quote(pattern[++i] as string);
    else if (letter === '[') {
      const end = pattern.indexOf(']', i + 2);
      if (end < 0) source += '\\[';
      else {
        const set = pattern.slice(i + 1, end).replace(/[[\\]/g, '\\$&');
        source += `(?!/)[${set}]`;
        i = end;
      }
    } else source += quote(letter);
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    // A set with its bounds the wrong way round matches nothing but itself.
    return new RegExp(`^${quote(pattern)}$`, 's');
  }
}

export function isPathPattern(text: string): boolean {
  return /[*?[]/.test(text);
}

/** The rules of a `.dockerignore`. */
export function parseIgnoreRules(text: string): PathRules {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  return makePathRules(lines.filter(line => !line.startsWith('#') && line.trim() !== ''));
}

export interface PathRules {
  isIgnored(path: string): boolean;
  hasExceptions: boolean;
}

/** The last pattern that matches a path, or a folder above it, decides; a `!` in front makes it an exception. */
export function makePathRules(patterns: readonly string[]): PathRules {
  const rules = patterns.map(line => {
    const trimmed = line.trim();
    const isException = trimmed.startsWith('!');
    const path = posix.normalize(`/${(isException ? trimmed.slice(1) : trimmed).trim()}`).replace(/^\/|\/$/g, '');
    return { isException, pattern: parsePathPattern(path) };
  });
  return {
    hasExceptions: rules.some(rule => rule.isException),
    isIgnored(path) {
      const parts = path.split('/');
      const above = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
      let isIgnored = false;
      for (const { isException, pattern } of rules) {
        if (isIgnored === isException && above.some(each => pattern.test(each))) isIgnored = !isException;
      }
      return isIgnored;
    },
  };
}

function quote(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
