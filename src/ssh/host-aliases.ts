import type { Surroundings } from './config.ts';
import { findFiles } from './config.ts';
import { type Directive, parseConfigFile } from './config-file.ts';
import { findSurroundings } from './surroundings.ts';
import { expandVariables } from './tokens.ts';

/** As many levels of Include as OpenSSH follows. */
const maxDepth = 16;

/** Names that `Host` lines of the user's ssh configuration give, in its order; patterns are left out (ssh_config(5)). */
export function listAliases(around: Surroundings = findSurroundings()): string[] {
  const names = new Set<string>();
  const folder = `${around.home}/.ssh`;
  const read = (file: string, depth: number) => {
    const text = around.readFile(file);
    if (text !== undefined && depth <= maxDepth) collect(parseConfigFile(text, file), depth);
  };
  const collect = (directives: readonly Directive[], depth: number) => {
    for (const directive of directives) {
      if (directive.name === 'host') {
        for (const word of directive.words) if (!/[*?!]/.test(word)) names.add(word);
      } else if (directive.name === 'include') {
        for (const word of directive.words) {
          const path = expandVariables(word, around);
          const isAbsolute = path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path);
          for (const file of findFiles(isAbsolute ? path : `${folder}/${path}`, around)) read(file, depth + 1);
        }
      }
      if (directive.body) collect(directive.body, depth);
    }
  };
  read(`${folder}/config`, 0);
  return [...names];
}
