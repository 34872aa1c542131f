// The kit by itself: in a root that holds nothing else, no libc and no shell, as an ordinary user; and once more with the
// system calls refused that are newer than an old kernel.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Kit } from '#base/kit.ts';
import { findUser, isRoot, makeFolder, needPackages, run } from '../support/machine.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = join(root, 'dist/kit', `linux-${process.arch}`);
const reason = !isRoot
  ? 'only root can change the root directory'
  : !existsSync(join(folder, 'kit.json'))
    ? 'the kit is not built: npm run build'
    : false;

const checks = `
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs'), net = require('node:net'), zlib = require('node:zlib');
const { Worker } = require('node:worker_threads');
(async () => {
  assert.equal(process.execPath, '/kit/runtime/node');
  const child = spawnSync(process.execPath, ['-p', '6 * 7'], { encoding: 'utf8' });
  assert.equal(child.stdout, '42\\n', child.stderr);
  const answer = await new Promise((resolve, reject) =>
    new Worker('require("node:worker_threads").parentPort.postMessage(process.pid)', { eval: true }).on('message', resolve).on('error', reject));
  assert.equal(answer, process.pid);
  fs.writeFileSync('/tmp/file', 'text');
  assert.equal(await fs.promises.readFile('/tmp/file', 'utf8'), 'text');
  await fs.promises.cp('/tmp/file', '/tmp/copy');
  assert.equal(zlib.zstdDecompressSync(zlib.zstdCompressSync(Buffer.from('zstd'))).toString(), 'zstd');
  const server = net.createServer(socket => socket.end('socket')).listen('/tmp/socket');
  const heard = await new Promise((resolve, reject) => net.connect('/tmp/socket').on('data', resolve).on('error', reject));
  assert.equal(String(heard), 'socket');
  server.close();
  assert.ok(require('node:crypto').generateKeyPairSync('ed25519').privateKey);
  assert.equal(typeof require('node:os').release(), 'string');
  console.log('all is well');
})();
`;
const tool = `
cwlVersion: v1.2
class: ExpressionTool
requirements: { InlineJavascriptRequirement: {} }
inputs: { number: int }
outputs: { twice: int }
expression: '\${ return { twice: 2 * inputs.number }; }'
`;

let jail: { path: string; remove(): void };

before(() => {
  if (reason) return;
  needPackages('gcc', 'libc6-dev');
  jail = makeFolder(findUser(), 'cwl-jail-');
  const kit = JSON.parse(readFileSync(join(folder, 'kit.json'), 'utf8')) as Kit;
  // As the near end installs it.
  const home = join(jail.path, 'kit');
  mkdirSync(home);
  for (const piece of kit.pieces) cpSync(join(folder, piece.source), join(home, piece.path), { recursive: true });
  run('tar', ['xzf', join(home, kit.runtime.archive), '-C', home]);
  rmSync(join(home, kit.runtime.archive));
  const loader = `/kit/${kit.runtime.loader}\0`;
  assert.ok(loader.length <= kit.runtime.interpreterLength);
  const node = openSync(join(home, kit.runtime.nodePath), 'r+');
  writeSync(node, loader, kit.runtime.interpreterOffset);
  closeSync(node);
  for (const name of ['proc', 'dev', 'tmp', 'home']) mkdirSync(join(jail.path, name));
  for (const name of ['tmp', 'home']) run('chmod', ['1777', join(jail.path, name)]);
  run('gcc', ['-static', '-o', join(jail.path, 'old-kernel'), join(root, 'test/engine/programs/old-kernel.c')]);
  writeFileSync(join(jail.path, 'checks.cjs'), checks);
  writeFileSync(join(jail.path, 'tool.cwl'), tool);
});
after(() => jail?.remove());

/** Runs a program of the jail as the user of the tests, with /proc and /dev as every host has them. */
function inJail(argv: string[], limit?: number) {
  const user = findUser();
  const script =
    'jail=$1; ids=$2; shift 2; mount -t proc proc "$jail/proc"; mount --rbind /dev "$jail/dev"; exec chroot --userspec="$ids" "$jail" "$@"';
  const command = limit === undefined ? argv : ['/old-kernel', String(limit), ...argv];
  return spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', jail.path, `${user.uid}:${user.gid}`, ...command], {
    encoding: 'utf8',
    env: { HOME: '/home', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', CWL_ON_CLUSTERS_HOME: '/home/cwl' },
    timeout: 60_000,
  });
}

for (const [name, limit] of [
  ['this kernel', undefined],
  ['the system calls of Linux 3.10', 313],
  ['the system calls of Linux 2.6.32', 298],
] as const) {
  test(`Node runs with nothing but the kit and ${name}`, { skip: reason }, t => {
    if (limit !== undefined && process.arch !== 'x64') return t.skip('the numbers are those of x86_64');
    const { stdout, stderr, status } = inJail(['/kit/runtime/node', '/checks.cjs'], limit);
    assert.equal(stdout, 'all is well\n', stderr);
    assert.equal(status, 0);
  });

  test(`the helper runs a document with nothing but the kit and ${name}`, { skip: reason }, t => {
    if (limit !== undefined && process.arch !== 'x64') return t.skip('the numbers are those of x86_64');
    const argv = [
      '/kit/runtime/node',
      '/kit/helper.cjs',
      'run',
      '--quiet',
      '--outdir',
      '/tmp/out',
      '/tool.cwl',
      '--number',
      '21',
    ];
    const { stdout, stderr } = inJail(argv, limit);
    assert.deepEqual(JSON.parse(stdout || '{}'), { twice: 42 }, stderr);
  });

  test(`PRoot passes its self-test with nothing but the kit and ${name}`, { skip: reason }, t => {
    if (limit !== undefined && process.arch !== 'x64') return t.skip('the numbers are those of x86_64');
    const { stdout, stderr } = inJail(['/kit/runtime/node', '/kit/helper.cjs', 'probe', '--fresh', '--json'], limit);
    const report = JSON.parse(stdout || '{}') as { engines?: { engine: string; works: boolean; message: string }[] };
    const proot = report.engines?.find(each => each.engine.startsWith('proot') && each.works);
    assert.ok(proot, stdout + stderr);
  });
}
