import { spawnSync } from 'node:child_process';
import type { RootfsWriter } from './rootfs-writer.ts';
import { notices, type UnpackReport } from './unpack-report.ts';

/** At the top of every rootfs: one line, the digest of the image. A self-test looks for it inside. */
export const markerName = '.cwl-on-clusters';

/** Where sandboxes bind what they need; an image that has something there keeps it. */
const mountPoints = ['proc', 'dev', 'sys', 'tmp', 'w', 't', 'in', 'etc'];
const mountFiles = ['etc/resolv.conf', 'etc/hosts'];

/** Adds what sandboxes need to a rootfs whose directories are still open to their owner. */
export function prepareRootfs(writer: RootfsWriter, digest: string): void {
  for (const name of mountPoints) {
    if (writer.findKind(name)) continue;
    writer.makeDirectory(name);
    writer.finishDirectory(name, { mode: name === 'tmp' ? 0o1777 : 0o755, mtime: -1 });
  }
  // Only where /etc is a directory of its own: a link may lead anywhere.
  for (const name of writer.findKind('etc') === 'directory' ? mountFiles : []) {
    // A link would lead to a file of the running system, which an image does not have.
    if (writer.findKind(name) === 'symlink') writer.remove(name);
    if (!writer.findKind(name)) writer.writeText(name, '');
  }
  if (writer.findKind(markerName)) writer.remove(markerName);
  writer.writeText(markerName, `${digest}\n`, 0o444);
}

/** Node cannot make named pipes; the program mkfifo (POSIX) can. */
export function makeFifos(writer: RootfsWriter, fifos: Map<string, number>, report: UnpackReport): void {
  for (const [path, mode] of fifos) {
    const full = writer.toPath(path);
    const made =
      typeof full === 'string' &&
      spawnSync('mkfifo', ['-m', (mode & 0o777).toString(8), full], { stdio: 'ignore' }).status === 0;
    if (!made) report.add(notices.fifo);
  }
}
