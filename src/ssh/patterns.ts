/** True if all of `text` fits `pattern`, in which `*` stands for any run and `?` for any one character. */
export function isMatch(text: string, pattern: string): boolean {
  // Two pointers with one way back: linear in practice, and no regular expression made of the user's text.
  let at = 0;
  let star = -1;
  let mark = 0;
  for (let i = 0; i < text.length; ) {
    if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[i]) && pattern[at] !== '*') {
      at++;
      i++;
    } else if (pattern[at] === '*') {
      star = at++;
      mark = i;
    } else if (star >= 0) {
      at = star + 1;
      i = ++mark;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** A list as ssh_config(5) PATTERNS means it: one that begins with `!` and matches spoils all the others. */
export function isListMatch(text: string, patterns: readonly string[]): boolean {
  let found = false;
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) {
      if (isMatch(text, pattern.slice(1))) return false;
    } else if (isMatch(text, pattern)) found = true;
  }
  return found;
}
