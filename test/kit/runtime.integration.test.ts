// The kit by itself: in a root that holds nothing else, no libc and no shell, as an ordinary user; and once more with the
// system calls refused that are newer than an old kernel.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Jail, kernels, makeJail, noJail } from '../support/jail.ts';

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

let jail: Jail;

before(() => {
  if (noJail) return;
  jail = makeJail();
  jail.write('checks.cjs', checks);
  jail.write('tool.cwl', tool);
});
after(() => jail?.remove());

for (const [name, lastCall] of kernels) {
  const skip = noJail || (lastCall !== undefined && process.arch !== 'x64' ? 'the numbers are those of x86_64' : false);

  test(`Node runs with nothing but the kit and ${name}`, { skip }, () => {
    const { stdout, stderr, status } = jail.run(['/kit/runtime/node', '/checks.cjs'], lastCall);
    assert.equal(stdout, 'all is well\n', stderr);
    assert.equal(status, 0);
  });

  test(`the helper runs a document with nothing but the kit and ${name}`, { skip }, () => {
    const args = ['run', '--quiet', '--outdir', '/tmp/out', '/tool.cwl', '--number', '21'];
    const { stdout, stderr } = jail.helper(args, lastCall);
    assert.deepEqual(JSON.parse(stdout || '{}'), { twice: 42 }, stderr);
  });

  test(`PRoot passes its self-test with nothing but the kit and ${name}`, { skip }, () => {
    const { stdout, stderr } = jail.helper(['probe', '--fresh', '--json'], lastCall);
    const report = JSON.parse(stdout || '{}') as { engines?: { engine: string; works: boolean; message: string }[] };
    const proot = report.engines?.find(each => each.engine.startsWith('proot') && each.works);
    assert.ok(proot, stdout + stderr);
  });
}
