import type { Surroundings } from './config.ts';

/** Letters after `%` and what they stand for (ssh_config(5), TOKENS). */
export type Tokens = Record<string, string>;

/** Replaces `%x` by `tokens.x` and `%%` by `%`; an unknown token stays as it stands. */
export function expandTokens(text: string, tokens: Tokens): string {
  return text.replace(/%(.)/g, (whole, letter: string) => (letter === '%' ? '%' : (tokens[letter] ?? whole)));
}

/** Replaces `~/` at the beginning, and `${NAME}` by the environment's value (empty where it is not set). */
export function expandVariables(text: string, around: Pick<Surroundings, 'home' | 'environment'>): string {
  const path = text === '~' || /^~[\\/]/.test(text) ? around.home + text.slice(1) : text;
  return path.replace(/\$\{(\w+)\}/g, (_, name: string) => around.environment[name] ?? '');
}
