import { Failure } from '#base/failure.ts';

/** What `--chmod` makes of the permission bits of a file or folder. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

/** As chmod(1) has it where nobody says whose bits are meant: those that a usual umask leaves. */
const usualUmask = 0o022;
const whoBits: Record<string, number> = { u: 0o700, g: 0o070, o: 0o007 };
const permissionBits: Record<string, number> = { r: 0o444, w: 0o222, x: 0o111 };

/**
 * Reads `755` or `u=rwX,go=rX` (Dockerfile reference, COPY --chmod; POSIX.1-2017 chmod, "Extended description"). Set-id
 * bits mean other users, and all files belong to one: they are left out. Throws a Failure `image/invalid-dockerfile`.
 */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]{1,4}$/.test(text)) {
    const mode = Number.parseInt(text, 8) & 0o1777;
    return () => mode;
  }
  const clauses = text.split(',').map(clause => {
    const [, who, actions] = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause) ?? [];
    if (who === undefined || actions === undefined) {
      throw new Failure('image/invalid-dockerfile', `--chmod=${text}: ${clause || 'the empty text'} is no mode`, {
        hint: 'A mode is up to four digits from 0 to 7, such as 755, or words such as u=rwX,go=rX and +x.',
      });
    }
    const steps = [...actions.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)].map(
      ([, operator = '', what = '']): ModeChange =>
        (mode, isDirectory) =>
          applyStep(mode, isDirectory, who, operator, what),
    );
    return inTurn(steps);
  });
  return inTurn(clauses);
}

function inTurn(changes: readonly ModeChange[]): ModeChange {
  return (mode, isDirectory) => changes.reduce((found, change) => change(found, isDirectory), mode & 0o1777);
}

function applyStep(mode: number, isDirectory: boolean, who: string, operator: string, what: string): number {
  const isAll = who === '' || who.includes('a');
  const mask = isAll ? 0o777 : [...who].reduce((bits, letter) => bits | (whoBits[letter] as number), 0);
  const bits = toBits(mode, isDirectory, what) & mask & (who === '' ? ~usualUmask : 0o777);
  // The sticky bit is everyone's.
  const sticky = what.includes('t') && isAll ? 0o1000 : 0;
  if (operator === '+') return mode | bits | sticky;
  if (operator === '-') return mode & ~bits & ~sticky;
  return (mode & ~mask & ~(isAll ? 0o1000 : 0)) | bits | sticky;
}

function toBits(mode: number, isDirectory: boolean, what: string): number {
  const from = { u: 6, g: 3, o: 0 }[what];
  if (from !== undefined) return ((mode >> from) & 7) * 0o111;
  const isExecutable = isDirectory || (mode & 0o111) !== 0;
  return [...what].reduce((bits, letter) => {
    if (letter === 'X') return bits | (isExecutable ? 0o111 : 0);
    return bits | (permissionBits[letter] ?? 0);
  }, 0);
}
