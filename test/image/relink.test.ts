import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { relinkRootfs } from '#image/relink.ts';

test('a root file system whose links stay inside without chroot has the same files', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-relink-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const source = join(folder, 'root');
  const odd = Buffer.concat([Buffer.from(`${source}/usr/bin/`), Buffer.from([0xff, 0xfe])]);
  mkdirSync(join(source, 'usr/bin'), { recursive: true });
  mkdirSync(join(source, 'closed'));
  writeFileSync(join(source, 'usr/bin/mawk'), 'mawk');
  writeFileSync(odd, 'odd');
  const links: Record<string, [link: string, wanted: string]> = {
    'usr/bin/awk': ['/etc/alternatives/awk', '../../etc/alternatives/awk'],
    'usr/bin/plain': ['../bin/mawk', '../bin/mawk'],
    'usr/bin/high': ['../../../../../etc/shadow', '../../etc/shadow'],
    'usr/bin/root': ['//', '../..'],
    bin: ['usr/bin', 'usr/bin'],
    up: ['/', '.'],
    above: ['../x', 'x'],
    abs: ['/./usr/../../etc', 'usr/../etc'],
  };
  for (const [path, [link]] of Object.entries(links)) symlinkSync(link, join(source, path));
  await relinkRootfs(source, join(folder, 'view'));
  for (const [path, [, wanted]] of Object.entries(links)) {
    assert.equal(readlinkSync(join(folder, 'view', path)), wanted, path);
  }
  assert.equal(statSync(join(folder, 'view/bin/mawk')).ino, statSync(join(source, 'usr/bin/mawk')).ino);
  assert.equal(
    readFileSync(Buffer.concat([Buffer.from(`${folder}/view/bin/`), Buffer.from([0xff, 0xfe])]), 'utf8'),
    'odd',
  );
  assert.equal(statSync(join(folder, 'view/closed')).mode, statSync(join(source, 'closed')).mode);
});
