import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What two processes of this machine found when they locked one file. */
export interface LockTrial {
  result: 'holds' | 'fails' | 'untried';
  message: string;
}

/** Milliseconds for all of it. */
const timeLimit = 10_000;

/**
 * Takes a flock and an fcntl lock on a fresh file in `folder` and tries each from a second process. It shows locks that
 * are refused, as on Lustre mounted `noflock`; that locks hold on this machine alone it can't show.
 */
export async function tryLocks(folder: string): Promise<LockTrial> {
  let own: string;
  try {
    own = await mkdtemp(join(folder, '.cwl-locks-'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { result: 'untried', message: `nothing was tried: no file can be made there (${code})` };
  }
  try {
    const file = join(own, 'file');
    await writeFile(file, '');
    return await runScript(file);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

function runScript(file: string): Promise<LockTrial> {
  return new Promise(resolve => {
    execFile('perl', ['-e', script, file], { encoding: 'utf8', timeout: timeLimit }, (error, stdout) => {
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') {
        resolve({ result: 'untried', message: 'nothing was tried: that takes perl, which this machine lacks' });
      } else if (error) {
        resolve({ result: 'fails', message: `the trial did not end well: ${error.message.split('\n')[0]}` });
      } else {
        resolve(parseTrial(stdout));
      }
    });
  });
}

/** Reads lines such as `flock holds`, `fcntl refused Function not implemented`. */
export function parseTrial(text: string): LockTrial {
  const lines = text.split('\n').filter(line => line !== '');
  const fails = lines.length !== 2 || lines.some(line => !line.endsWith(' holds'));
  return { result: fails ? 'fails' : 'holds', message: lines.join(', ') };
}

/** Node can't lock; Perl is on nearly every cluster. The record is `struct flock` of 64-bit Linux (fcntl(2)). */
const script = `
use strict; use Fcntl qw(:flock F_SETLK F_WRLCK); $| = 1;
my $file = shift;
for my $kind ('flock', 'fcntl') {
  my $take = sub {
    my ($handle, $record) = ($_[0], pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0));
    return $kind eq 'flock' ? flock($handle, LOCK_EX | LOCK_NB) : fcntl($handle, F_SETLK, $record);
  };
  open(my $first, '+<', $file) or die "open: $!";
  if (!$take->($first)) { print "$kind refused: $!\\n"; next }
  my $child = fork;
  if (!$child) { open(my $second, '+<', $file) or exit 1; exit($take->($second) ? 1 : 0) }
  waitpid($child, 0);
  print "$kind ", ($? ? 'is given to two processes at once' : 'holds'), "\\n";
}`;
