import { readdirSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { toGlobExpression } from '#cwl/glob.ts';
import { compareUtf8 } from '#cwl/input-binding.ts';
import { type GuestView, isInside } from './guest-view.ts';

/**
 * The paths, as the task saw them, that match a glob(3) pattern in its output directory, sorted. Throws a Failure
 * `runner/glob` for a pattern that leads out of it (CWL v1.2, CommandOutputBinding.glob).
 */
export function findMatches(view: GuestView, outdir: string, pattern: string): string[] {
  const path = posix.resolve(outdir, pattern);
  if (!isInside(path, outdir)) {
    throw new Failure('runner/glob', `the glob ${pattern} leads out of the output directory`);
  }
  if (path === outdir) return [outdir];
  let found = [outdir];
  const parts = path.slice(outdir.length + 1).split('/');
  for (const [index, part] of parts.entries()) {
    const expression = toGlobExpression(part);
    found = found.flatMap(folder =>
      expression
        ? listNames(view, folder).flatMap(name => (expression.test(name) ? posix.join(folder, name) : []))
        : posix.join(folder, part),
    );
    if (index === parts.length - 1) found = found.filter(each => view.resolve(each) !== undefined);
  }
  return found.sort(compareUtf8);
}

function listNames(view: GuestView, folder: string): string[] {
  const host = view.resolve(folder)?.host;
  if (host === undefined || !statSync(host, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(host);
}
