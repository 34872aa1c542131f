import { quoteShell } from '#base/command.ts';
import { Failure } from '#base/failure.ts';

/** A folder as the user writes it in a setting: `$SCRATCH/cwl`, `~/.cwl-on-clusters`, `/scratch/$USER/cwl`. */
export interface FolderTemplate {
  /** Variables of the cluster's environment that occur in it. */
  variables: string[];
  /** A word for `/bin/sh` that stands for the folder; nothing of the setting is executed. */
  word: string;
}

/** Where everything is kept on the cluster unless the user says otherwise. */
export const defaultFolder = '$HOME/.cwl-on-clusters';

/** Reads `~`, `$NAME` and `${NAME}`; all else is literal. Throws a Failure where the folder would not be absolute. */
export function parseFolder(text: string): FolderTemplate {
  const path = text
    .trim()
    .replace(/\/+$/, '')
    .replace(/^~(?=\/|$)/, '$HOME');
  if (!/^(\/|\$\{?[A-Za-z_])/.test(path) || /[\n\0]/.test(path) || /(^|\/)\.\.(\/|$)/.test(path)) {
    throw new Failure('remote/folder', `“${text}” is no folder for the cluster`, {
      hint: 'Write an absolute path; it may begin with a variable: $SCRATCH/cwl.',
    });
  }
  const variables: string[] = [];
  const words = path.split(/(\$\{[A-Za-z_]\w*\}|\$[A-Za-z_]\w*)/).map((part, index) => {
    if (index % 2 === 0) return part === '' ? '' : quoteShell(part);
    const name = part.replace(/[${}]/g, '');
    variables.push(name);
    return `"$${name}"`;
  });
  return { variables: [...new Set(variables)], word: words.join('') };
}
