import { quoteShell } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import type { Connection } from '#ssh/connection.ts';

/**
 * What lies in the folder on the cluster. `kit` stands for what the helper keeps for its own speed too; `runs` holds the
 * outputs of runs that were given no folder of their own.
 */
export type HomePart = 'kit' | 'images' | 'sources' | 'runs';

/** Something that was removed. */
export interface Removed {
  path: string;
  bytes: number;
}

/**
 * Removes parts of what was put below `home` (absolute) on the cluster, and `home` itself if nothing is left in it.
 * Tells what it removed; throws `remote/uninstall` with what could not be.
 */
export async function uninstall(connection: Connection, home: string, parts: readonly HomePart[]): Promise<Removed[]> {
  if (!home.startsWith('/') || home === '/') throw new Failure('remote/folder', `“${home}” is not an install folder`);
  const { stdout } = await connection.exec(planUninstall(home, parts));
  const lines = stdout.split('\n').filter(Boolean);
  const kept = lines.filter(line => line.startsWith('kept ')).map(line => line.slice('kept '.length));
  if (kept.length > 0) {
    throw new Failure('remote/uninstall', `${kept.join(', ')} could not be removed`, {
      hint: 'End the runs of this cluster first.',
    });
  }
  return lines.map(line => {
    const [, kilobytes = '0', ...path] = line.split(' ');
    return { path: path.join(' '), bytes: Number(kilobytes) * 1024 };
  });
}

/** Prints `removed KILOBYTES PATH` or `kept PATH` for everything one level down, and for the folder itself. */
function planUninstall(home: string, parts: readonly HomePart[]): string {
  return String.raw`
cd ${quoteShell(home)} 2>/dev/null || exit 0
drop() {
  [ -e "$1" ] || [ -L "$1" ] || return
  set -- "$1" $(du -sk "$1" 2>/dev/null)
  # Root file systems hold directories that their owner may not write to.
  rm -rf "$1" 2>/dev/null || { chmod -R u+rwX "$1" 2>/dev/null; rm -rf "$1" 2>/dev/null; }
  if [ -e "$1" ]; then printf 'kept %s/%s\n' "$PWD" "$1"; else printf 'removed %s %s/%s\n' "$2" "$PWD" "$1"; fi
}
for part in ${parts.map(part => (part === 'kit' ? 'kit cache probe' : part)).join(' ')}; do
  for each in "$part"/* "$part"/.[!.]*; do drop "$each"; done
  [ ! -d "$part" ] || drop "$part"
done
here=$PWD
cd / && rmdir "$here" 2>/dev/null && printf 'removed 0 %s\n' "$here"
exit 0`;
}
