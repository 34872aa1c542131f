// `apt-get install` in a Debian base, built as an unprivileged user under PRoot.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { findUser, isRoot, needPackages, run } from '../support/machine.ts';

const skip = isRoot ? false : 'only root makes the Debian base';
let helper: InstalledHelper;

before(async () => {
  if (skip) return;
  needPackages('mmdebstrap');
  helper = await installHelper(findUser());
  const tar = join(helper.folder, 'debian.tar');
  run('mmdebstrap', ['--variant=apt', '--include=ca-certificates', 'bookworm', tar]);
  spawnSync('chown', [`${helper.user.uid}:${helper.user.gid}`, tar]);
  const { code, stderr } = await helper.run(['image', 'import', '--name', 'test/debian:12', tar]);
  assert.equal(code, 0, stderr);
});
after(() => helper?.remove());

test('apt-get installs packages that make users, owners and set-id programs', { skip }, async () => {
  const folder = join(helper.folder, 'context');
  mkdirSync(folder);
  const dockerfile = `FROM test/debian:12
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends openssh-client sudo jq dbus && rm -rf /var/lib/apt/lists/*
RUN adduser --system --group worker && install -o worker -m 2755 /usr/bin/jq /usr/local/bin/mine
USER worker
WORKDIR /home/worker
RUN id -un >who; echo '{"a":[1,2]}' | jq -c .a >answer; dpkg --audit; date >/dev/null
`;
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  spawnSync('chown', ['-R', `${helper.user.uid}:${helper.user.gid}`, folder]);
  const made = await helper.run(['image', 'build', '-t', 'test/apt', folder]);
  assert.equal(made.code, 0, made.stderr.slice(-4000));
  const rootfs = made.stdout.split('\n')[1] as string;
  assert.equal(lstatSync(join(rootfs, 'usr/local/bin/mine')).uid, helper.user.uid);
  const ran = await helper.run([
    'docker',
    'run',
    'test/apt',
    'sh',
    '-c',
    'cat who answer; mine --version; dbus-daemon --version | head -1',
  ]);
  assert.match(ran.stdout, /^worker\n\[1,2\]\njq-1\.6\nD-Bus/, ran.stderr);
});
