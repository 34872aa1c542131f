import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { cwd } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { formatProblem, type Problem } from '#base/problem.ts';

/** The URI behind an argument: a path, perhaps with `#id`, or a URI. A file may have a `#` in its name. */
export function toDocumentUri(argument: string): string {
  if (/^(?:file|https?):/.test(argument)) return argument;
  const at = argument.lastIndexOf('#');
  if (at < 0 || existsSync(argument)) return pathToFileURL(resolve(argument)).href;
  return `${pathToFileURL(resolve(argument.slice(0, at))).href}${argument.slice(at)}`;
}

/** `path:line:column: message` for each, with the path as short as it can be from here. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(problem => `${formatProblem(problem, toShortPath)}\n`).join('');
}

function toShortPath(uri: string): string {
  if (!uri.startsWith('file:')) return uri;
  const path = fileURLToPath(uri);
  const short = relative(cwd(), path);
  return short.startsWith('../../') || short === '' ? path : short;
}
