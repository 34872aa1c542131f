import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findMinimumKernel } from '#image/minimum-kernel.ts';

const isDebian = existsSync('/etc/debian_version') && ['x64', 'arm64'].includes(process.arch);

test("the oldest kernel of this machine's libc", {
  skip: isDebian ? undefined : 'only Debian is known to say it',
}, () => {
  // What Debian builds its glibc with: --enable-kernel, and 3.7.0 for arm64, where glibc itself began.
  assert.equal(findMinimumKernel('/'), process.arch === 'x64' ? '3.2.0' : '3.7.0');
});

test('a rootfs whose libc makes no sense has none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-libc-'));
  try {
    assert.equal(findMinimumKernel(folder), undefined);
    mkdirSync(join(folder, 'lib64'));
    writeFileSync(
      join(folder, 'lib64/libc.so.6'),
      Buffer.concat([Buffer.from('\x7fELF\x02\x01', 'latin1'), Buffer.alloc(58, 255)]),
    );
    // Inside, this link leads to nothing; on the host it leads to the host's libc.
    symlinkSync('/lib', join(folder, 'lib'));
    assert.equal(findMinimumKernel(folder), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
