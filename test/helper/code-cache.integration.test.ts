// The compiled code that one process of the helper leaves for the next.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { findUser, runAs } from '../support/machine.ts';

let helper: InstalledHelper;
before(async () => {
  helper = await installHelper(findUser());
});
after(() => helper.remove());
beforeEach(() => runAs(helper.user, 'rm', ['-rf', join(helper.home, 'cache')]));

const cache = () => join(helper.home, 'cache');
const file = () => join(cache(), `image.${process.arch}`);
/** `[key, writers, checksum]`. */
const readHead = () => readFileSync(file(), 'latin1').split('\n', 1)[0]?.trim().split('\t') as string[];

async function list(): Promise<string> {
  const result = await helper.run(['image', 'list']);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, '');
  return result.stdout;
}

test('the first processes add to it, then it is only read', async () => {
  for (const writers of ['1', '2', '3', '4', '4']) {
    await list();
    assert.equal(readHead()[1], writers);
  }
  assert.equal(statSync(file()).mode & 0o777, 0o600);
  assert.equal(statSync(cache()).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(cache()), [`image.${process.arch}`]);
});

test('code of another bundle, damaged code and code that others could have written is not run', async () => {
  const right = await list();
  const damage: [string, () => void][] = [
    ['another bundle', () => edit(bytes => bytes.write('v1.0.0 ', 0))],
    ['a byte', () => edit(bytes => bytes.writeUInt8(bytes.readUInt8(bytes.length - 5000) ^ 0x55, bytes.length - 5000))],
    ['zeros', () => edit(bytes => bytes.fill(0, bytes.length - 4096))],
    ['cut off', () => writeFileSync(file(), readFileSync(file()).subarray(0, 10_000))],
    ['nothing', () => writeFileSync(file(), '')],
    ['writable for all', () => chmodSync(file(), 0o666)],
  ];
  for (const [what, spoil] of damage) {
    await list();
    assert.notEqual(readHead()[1], '1', what);
    spoil();
    assert.equal(await list(), right, what);
    assert.equal(readHead()[1], '1', `${what}: written anew`);
  }
});

test('a folder that cannot be written, a command that is none and one that fails leave nothing', async () => {
  assert.equal((await helper.run(['no-such-command'])).code, 2);
  assert.notEqual((await helper.run(['image', 'remove', 'nothing'])).code, 0);
  assert.equal((await runAs(helper.user, 'ls', [cache()])).stdout, '');
  await runAs(helper.user, 'mkdir', ['-m', '500', cache()]);
  await list();
  assert.equal((await runAs(helper.user, 'ls', [cache()])).stdout, '');
  const { code, stderr } = await helper.run(['version'], { env: { CWL_ON_CLUSTERS_HOME: '/dev/null' } });
  assert.deepEqual([code, stderr], [0, '']);
});

function edit(change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file());
  change(bytes);
  writeFileSync(file(), bytes);
}

test('nothing comes back of a helper that was removed, or of a home that is not there', async () => {
  const served = helper.serve();
  const bundle = join(helper.folder, 'helper-main.cjs');
  await served.connection.sendRequest('hello', {}).catch(() => {});
  renameSync(bundle, `${bundle}.away`);
  try {
    await served.close();
  } finally {
    renameSync(`${bundle}.away`, bundle);
  }
  assert.equal((await runAs(helper.user, 'ls', [cache()])).stdout, '');
  const home = join(helper.folder, 'no-home');
  await helper.run(['version'], { env: { CWL_ON_CLUSTERS_HOME: home } });
  assert.equal(existsSync(home), false);
});
