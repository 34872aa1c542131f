// The memory that a conversion takes, whatever the image.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installHelper } from '../support/helper.ts';
import { findUser, needPackages, runAs } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';

const files = 300_000;
const limit = 200;

// A disk would take minutes for as many files.
if (existsSync('/dev/shm')) process.env.TMPDIR = '/dev/shm';

test(`${files} files take less than ${limit} MB of memory`, async () => {
  needPackages('time');
  const user = findUser();
  const helper = await installHelper(user);
  try {
    const layer = new Layer();
    const content = Buffer.from('x');
    for (let number = 0; number < files; number++) {
      layer.file(`opt/lib/package-${Math.floor(number / 1000)}/some_module_${number}.py`, content);
    }
    const archive = join(helper.folder, 'many.tar');
    writeFileSync(archive, layer.toBuffer());
    const peak = join(helper.folder, 'peak');
    const command = [helper.node, helper.bundle, 'image', 'import', archive];
    const env = { CWL_ON_CLUSTERS_HOME: helper.home };
    const { code, stderr } = await runAs(user, '/usr/bin/time', ['-f', '%M', '-o', peak, ...command], { env });
    assert.equal(code, 0, stderr);
    const megabytes = Number(readFileSync(peak, 'utf8')) / 1024;
    assert.ok(megabytes < limit, `${megabytes.toFixed(0)} MB`);
  } finally {
    helper.remove();
  }
});
