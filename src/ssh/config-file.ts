import SSHConfig from 'ssh-config';
import { Failure } from '#base/failure.ts';

/** A directive of ssh_config(5), in the order of the file. */
export interface Directive {
  /** Lower case. */
  name: string;
  /** Its arguments; a directive that takes the rest of the line has one. */
  words: string[];
  /** What `Host` and `Match` govern. */
  body?: Directive[];
}

/** Reads the grammar of one file; what the directives mean is said in config.ts. Throws a Failure that names the file. */
export function parseConfigFile(text: string, file: string): Directive[] {
  if (text.trim() === '') return [];
  try {
    return toDirectives(SSHConfig.parse(text.replace(/^\uFEFF/, '')));
  } catch (error) {
    throw new Failure('ssh/config', `${file} can't be read as an ssh configuration`, {
      hint: `Try ssh -F ${file} -G somehost in a terminal: it names the line.`,
      cause: error,
    });
  }
}

function toDirectives(lines: SSHConfig): Directive[] {
  const directives: Directive[] = [];
  for (const line of lines) {
    if (!('param' in line) || !line.param) continue;
    const name = line.param.toLowerCase();
    let words = typeof line.value === 'string' ? [line.value] : line.value.map(each => each.val);
    if (name === 'proxycommand' && typeof line.value !== 'string') {
      // A command is handed to a shell as it stands, with its quotes.
      words = [line.value.map(each => (each.quoted ? `"${each.val}"` : each.val)).join(' ')];
    }
    const directive: Directive = { name, words };
    if ('config' in line) directive.body = toDirectives(line.config);
    directives.push(directive);
  }
  return directives;
}
