// A kit of a few kilobytes with the layout of the real one: for tests of how a kit travels, not of what it does.
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatKitContent, type KitPiece } from '#base/kit.ts';
import type { LocalKit } from '#remote/local-kit.ts';

export interface SmallKit extends LocalKit {
  remove(): void;
}

/** `bulk`: bytes of one incompressible piece, for uploads that take a while. `helper`: text of the helper. */
export function makeSmallKit({ bulk = 100_000, helper = 'console.log("helper")\n' } = {}): SmallKit {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-small-kit-'));
  mkdirSync(join(folder, 'runtime', 'lib'), { recursive: true });
  // The path of the loader is written into the comment.
  const node = `#!/bin/sh\necho v24.0.0; exit\n#${' '.repeat(300)}\n`;
  writeFileSync(join(folder, 'runtime', 'node'), node);
  chmodSync(join(folder, 'runtime', 'node'), 0o755);
  writeFileSync(join(folder, 'runtime', 'lib', 'ld.so'), 'loader');
  const packed = spawnSync('tar', ['-czf', 'runtime.tar.gz', 'runtime'], { cwd: folder });
  if (packed.status !== 0) throw new Error(String(packed.stderr));
  writeFileSync(join(folder, 'helper.cjs'), helper);
  writeFileSync(join(folder, 'proot'), randomBytes(bulk));
  const piece = (path: string, source: string, mode: number): KitPiece => ({
    ...{ path, source, mode },
    sha256: createHash('sha256')
      .update(readFileSync(join(folder, source)))
      .digest('hex'),
    size: statSync(join(folder, source)).size,
  });
  const pieces = [
    piece('helper.cjs', 'helper.cjs', 0o644),
    piece('bin/proot', 'proot', 0o755),
    piece('runtime.tar.gz', 'runtime.tar.gz', 0o644),
  ];
  return {
    folder,
    platform: process.arch === 'arm64' ? 'linux-arm64' : 'linux-x64',
    version: '0.0.0',
    digest: createHash('sha256').update(formatKitContent(pieces)).digest('hex'),
    pieces,
    runtime: {
      archive: 'runtime.tar.gz',
      nodeVersion: '24.0.0',
      nodePath: 'runtime/node',
      loader: 'runtime/lib/ld.so',
      interpreterOffset: node.indexOf('#  ') + 1,
      interpreterLength: 300,
      unpackedSize: node.length + 6,
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
