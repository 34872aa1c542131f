/** One mount, as `/proc/PID/mountinfo` tells it (proc_pid_mountinfo(5)). */
export interface Mount {
  id: number;
  parent: number;
  mountPoint: string;
  /** `nfs4`, `lustre`, `fuse.sshfs`. */
  type: string;
  /** `nas:/home`, `10.0.0.5@tcp:/scratch`, `/dev/sda1`. */
  source: string;
  /** Options of this mount and of its file system: `['rw', 'flock', 'vers=4.2']`. */
  options: string[];
}

/** Reads the text of `/proc/self/mountinfo`; lines that make no sense are left out. */
export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap(line => parseLine(line) ?? []);
}

/**
 * The mount on which `path` (absolute, no symbolic links, no `..`) lies, as the kernel's path walk finds it: from the
 * root, into whatever is mounted on each directory. So a mount that a later one hides is never found.
 */
export function findMount(mounts: readonly Mount[], path: string): Mount | undefined {
  let at = findRoot(mounts);
  if (!at) return findLongest(mounts, path);
  for (const folder of prefixesOf(path)) {
    for (let next = findChild(mounts, at, folder); next; next = findChild(mounts, at, folder)) at = next;
  }
  return at;
}

function parseLine(line: string): Mount | undefined {
  const fields = line.trim().split(' ');
  // Optional fields of any number stand between the sixth and the dash.
  const dash = fields.indexOf('-', 6);
  if (dash < 0 || fields.length < dash + 3) return undefined;
  const [type = '', source = '', superOptions = ''] = fields.slice(dash + 1);
  const options = [...(fields[5] ?? '').split(','), ...decodeOctal(superOptions).split(',')].filter(
    option => option !== '',
  );
  return {
    id: Number(fields[0]),
    parent: Number(fields[1]),
    mountPoint: decodeOctal(fields[4] ?? ''),
    type,
    source: decodeOctal(source),
    options,
  };
}

/** Space, tab, newline and backslash are written as three octal digits of each byte. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function findRoot(mounts: readonly Mount[]): Mount | undefined {
  return mounts.find(
    mount =>
      mount.mountPoint === '/' && (mount.parent === mount.id || !mounts.some(other => other.id === mount.parent)),
  );
}

function findChild(mounts: readonly Mount[], parent: Mount, folder: string): Mount | undefined {
  return mounts.findLast(mount => mount.parent === parent.id && mount.id !== parent.id && mount.mountPoint === folder);
}

/** For a process in a chroot, whose root is no mount point. */
function findLongest(mounts: readonly Mount[], path: string): Mount | undefined {
  const folders = new Set(prefixesOf(path));
  let best: Mount | undefined;
  for (const mount of mounts) {
    if (folders.has(mount.mountPoint) && mount.mountPoint.length >= (best?.mountPoint.length ?? 0)) best = mount;
  }
  return best;
}

/** `/`, `/a`, `/a/b` for `/a/b`. */
function prefixesOf(path: string): string[] {
  const names = path.split('/').filter(name => name !== '');
  return ['/', ...names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)];
}
