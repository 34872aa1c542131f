// One tree as GNU tar, bsdtar and busybox pack it in each of their formats: what comes out is what went in.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isRoot, needPackages } from '../support/machine.ts';
import { readTree, unpackAll } from './rootfs.ts';

const skip = isRoot && existsSync('/usr/bin/apt-get') ? undefined : 'the programs are installed by root on Debian';
const folder = mkdtempSync(join(tmpdir(), 'cwl-tars-'));
after(() => rmSync(folder, { recursive: true }));
const short = join(folder, 'short');
const full = join(folder, 'full');

before(() => {
  if (skip) return;
  needPackages('tar', 'libarchive-tools', 'busybox-static');
  mkdirSync(join(short, 'd/sub'), { recursive: true });
  writeFileSync(join(short, 'd/file'), 'data');
  writeFileSync(join(short, 'd/big'), Buffer.alloc(300_000, 'big'));
  writeFileSync(join(short, 'empty'), '');
  linkSync(join(short, 'd/file'), join(short, 'twin'));
  symlinkSync('d/file', join(short, 'link'));
  writeFileSync(join(short, 'run'), '#!/bin/sh\n', { mode: 0o755 });
  chmodSync(join(short, 'd/sub'), 0o750);
  execFileSync('mkfifo', [join(short, 'pipe')]);
  // Two pieces, six, and forty: old GNU headers hold four and then twenty-one each.
  for (const [name, pieces] of Object.entries({ two: 2, six: 6, forty: 40 })) writeHoles(join(short, name), pieces);
  writeFileSync(join(short, 'hollow'), '');
  truncateSync(join(short, 'hollow'), 500_000);
  utimesSync(join(short, 'd/file'), 1_500_000_000, 1_500_000_000);
  execFileSync('cp', ['-a', '--sparse=always', short, full]);
  const long = join(full, 'l'.repeat(120), 'm'.repeat(255));
  mkdirSync(long, { recursive: true });
  writeFileSync(join(long, 'n'.repeat(255)), 'long');
  linkSync(join(long, 'n'.repeat(255)), join(full, 'z-long-twin'));
  symlinkSync('t'.repeat(400), join(full, 'far'));
  writeFileSync(join(full, 'ümläut'), 'u');
  writeFileSync(Buffer.concat([Buffer.from(`${full}/`), Buffer.from([0x6c, 0xff])]), 'no UTF-8');
  writeFileSync(join(full, 'line\nfeed'), 'l');
});

function writeHoles(path: string, pieces: number): void {
  const file = openSync(path, 'w', 0o644);
  for (let i = 0; i < pieces; i++) writeSync(file, `piece ${i}`, 8192 * (2 * i + 1));
  closeSync(file);
}

const gnu = (...args: string[]) => ['tar', '-c', '-f', '-', ...args];
const cases: Record<string, [command: string[], tree: () => string]> = {
  'GNU tar, v7': [gnu('--format=v7', '--exclude=pipe'), () => short],
  'GNU tar, oldgnu': [gnu('--format=oldgnu'), () => full],
  'GNU tar, oldgnu, sparse': [gnu('--format=oldgnu', '-S'), () => full],
  'GNU tar, gnu': [gnu('--format=gnu'), () => full],
  'GNU tar, gnu, sparse': [gnu('--format=gnu', '-S'), () => short],
  'GNU tar, ustar': [gnu('--format=ustar'), () => short],
  'GNU tar, posix': [gnu('--format=posix'), () => full],
  'GNU tar, posix, sparse 0.0': [gnu('--format=posix', '-S', '--sparse-version=0.0'), () => full],
  'GNU tar, posix, sparse 0.1': [gnu('--format=posix', '-S', '--sparse-version=0.1'), () => full],
  'GNU tar, posix, sparse 1.0': [gnu('--format=posix', '-S', '--sparse-version=1.0'), () => full],
  'GNU tar, posix, global times': [
    gnu('--format=posix', '--pax-option=globexthdr.name=g,mtime=1,comment=c'),
    () => full,
  ],
  'bsdtar, pax': [['bsdtar', '-c', '-f', '-', '--format=pax'], () => full],
  'bsdtar, restricted pax': [['bsdtar', '-c', '-f', '-'], () => full],
  'bsdtar, gnutar': [['bsdtar', '-c', '-f', '-', '--format=gnutar'], () => full],
  'bsdtar, ustar': [['bsdtar', '-c', '-f', '-', '--format=ustar'], () => short],
  'bsdtar, v7tar': [['bsdtar', '-c', '-f', '-', '--format=v7tar', '--exclude=pipe'], () => short],
  busybox: [['busybox', 'tar', '-c', '-f', '-'], () => short],
};

for (const [name, [[program = '', ...args], treeOf]] of Object.entries(cases)) {
  test(name, { skip }, async () => {
    const archive = execFileSync(program, [...args, '-C', treeOf(), '.'], {
      maxBuffer: 1 << 28,
      env: { ...process.env, LANG: 'C.UTF-8' },
    });
    if (name.includes('sparse')) assert.ok(archive.length < 1_000_000, 'holes are not stored');
    const expected = readTree(treeOf());
    if (args.includes('--exclude=pipe')) delete expected.pipe;
    assert.deepEqual((await unpackAll([archive])).tree, expected);
  });
}
