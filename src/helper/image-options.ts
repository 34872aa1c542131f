import { resolve } from 'node:path';
import { usageFailure } from './command-line.ts';

/** The command line of `image COMMAND`, read. */
export interface ImageArguments {
  /** References, archives or digests. */
  names: string[];
  imageStore?: string;
  /** Registry host to mirror URL. */
  mirrors: Record<string, string>;
  platform?: string;
  /** What to call a loaded or imported image. */
  name?: string;
  isJson: boolean;
  /** `prune`: also layers of complete images. */
  isAll: boolean;
}

const known: Record<string, string[]> = {
  pull: ['--mirror', '--platform'],
  load: ['--name', '--platform'],
  import: ['--name'],
  prune: ['--all'],
};

/** Throws a Failure `helper/usage` for an option that the command does not have. */
export function parseImageArguments(command: string, args: readonly string[]): ImageArguments {
  const options: ImageArguments = { names: [], mirrors: {}, isJson: false, isAll: false };
  const allowed = ['--image-store', '--json', ...(known[command] ?? [])];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === '-' || !word.startsWith('-')) {
      options.names.push(word);
      continue;
    }
    const [, option = word, inline] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
    if (!allowed.includes(option)) throw usageFailure(`image ${command} has no option ${option}`);
    if (option === '--json') options.isJson = true;
    else if (option === '--all') options.isAll = true;
    else {
      const value = inline ?? args[++i];
      if (value === undefined) throw usageFailure(`${option} needs a value`);
      setValue(options, option, value);
    }
  }
  if (options.name !== undefined && options.names.length > 1) throw usageFailure('--name is for one image');
  return options;
}

function setValue(options: ImageArguments, option: string, value: string): void {
  if (option === '--image-store') options.imageStore = resolve(value);
  else if (option === '--platform') options.platform = value;
  else if (option === '--name') options.name = value;
  else {
    const at = value.indexOf('=');
    if (at <= 0) throw usageFailure('--mirror needs HOST=URL, such as docker.io=http://127.0.0.1:5000');
    options.mirrors[value.slice(0, at)] = value.slice(at + 1);
  }
}
