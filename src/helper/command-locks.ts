import { resolve } from 'node:path';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { findHome } from './home.ts';
import { checkLocks } from './lock-check.ts';
import { tryLocks } from './lock-probe.ts';
import { formatTable } from './table.ts';

/**
 * `locks [PATH...] [--try] [--json]`: what file locks are worth on the file systems of these paths; without a path, of
 * the current folder and of the folder for runs. Exits with 1 where one deserves a warning.
 */
export const locks: HelperCommand = async ({ args, stdout }) => {
  const options = args.filter(word => word.startsWith('-'));
  const wrong = options.find(option => option !== '--json' && option !== '--try');
  if (wrong) throw usageFailure(`locks has no option ${wrong}`);
  const named = args.filter(word => !word.startsWith('-')).map(path => resolve(path));
  const paths = named.length > 0 ? named : [process.cwd(), findHome().folder];
  const findings = await checkLocks(paths);
  const trials = options.includes('--try') ? await Promise.all(paths.map(tryLocks)) : [];
  if (options.includes('--json')) {
    stdout(
      `${JSON.stringify(
        findings.map((finding, index) => ({ ...finding, tried: trials[index] })),
        null,
        2,
      )}\n`,
    );
  } else {
    const rows = findings.map(each => [each.path, each.fileSystem, each.flock, each.fcntl, each.source]);
    stdout(formatTable([['PATH', 'TYPE', 'FLOCK', 'FCNTL', 'SOURCE'], ...rows]));
    for (const finding of findings)
      if (finding.severity !== 'ok') stdout(`\n${finding.severity}: ${finding.message}\n`);
    for (const [index, trial] of trials.entries()) stdout(`\ntried in ${paths[index]}: ${trial.message}\n`);
  }
  return findings.some(finding => finding.severity === 'warning') || trials.some(trial => trial.result === 'fails')
    ? 1
    : 0;
};
