// Builds that are killed at any point, and builds beside those who clean up: the store is never wrong.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { environmentOf, findUser, isRoot, spawnAs } from '../support/machine.ts';

const skip = isRoot ? false : 'the builds run as another user, which needs root';
const kills = 60;
const dockerfile = `FROM test/base:1 AS first
RUN for i in $(seq 200); do echo $i > /f$i; done
RUN rm /f7 && chmod 000 /f8
FROM test/base:1
COPY --from=first /f1 /f2 /copied/
COPY file /file
RUN cat /file /copied/f1 > /both
`;
let helper: InstalledHelper;
let context: string;

before(async () => {
  if (skip) return;
  helper = await installHelper(findUser());
  context = join(helper.folder, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  writeFileSync(join(context, 'file'), 'from the context\n');
  writeLayout(join(helper.folder, 'layout'), { '1': busyboxImage() });
  spawnSync('chown', ['-R', `${helper.user.uid}:${helper.user.gid}`, helper.folder]);
});
after(() => helper?.remove());

function build(store: string): { kill(): void; ended: Promise<{ code: number | null; stderr: string }> } {
  const args = [
    helper.bundle,
    'image',
    'build',
    '-t',
    'test/made:1',
    '--image-store',
    join(helper.folder, store),
    context,
  ];
  const child = spawnAs(helper.user, helper.node, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: helper.folder,
    env: environmentOf(helper.user),
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve, reject) =>
    child.on('error', reject).on('close', code => resolve({ code, stderr })),
  );
  return { kill: () => child.kill('SIGKILL'), ended };
}

async function openStoreWithBase(store: string): Promise<void> {
  const args = ['image', 'load', '--name', 'test/base:1', '--image-store', join(helper.folder, store)];
  const { code, stderr } = await helper.run([...args, join(helper.folder, 'layout')]);
  assert.equal(code, 0, stderr);
}

/** What has a name is complete. */
async function checkMade(store: string, isExpected: boolean): Promise<void> {
  const { code, stdout, stderr } = await helper.run([
    ...['image', 'inspect', 'test/made:1', '--image-store', join(helper.folder, store)],
  ]);
  assert.ok(code === 0 || !isExpected, stderr);
  if (code !== 0) return;
  const [{ rootfs }] = JSON.parse(stdout);
  assert.equal(readFileSync(join(rootfs, 'both'), 'utf8'), `${readFileSync(join(context, 'file'), 'utf8')}1\n`);
  assert.deepEqual(readdirSync(join(rootfs, 'copied')).sort(), ['f1', 'f2']);
}

test(`killed at ${kills} moments, the next build succeeds`, { skip, timeout: 600_000 }, async () => {
  await openStoreWithBase('timed');
  const start = performance.now();
  assert.equal((await build('timed').ended).code, 0);
  const whole = performance.now() - start;
  let interrupted = 0;
  for (let i = 0; i < kills; i++) {
    const store = `killed${i % 6}`;
    if (i % 12 < 6) await openStoreWithBase(store);
    const running = build(store);
    await sleep((whole * (i + 0.5)) / kills);
    running.kill();
    if ((await running.ended).code === null) interrupted++;
    await checkMade(store, false);
    // Every other one begins with what the one before has left.
    if (i % 12 >= 6) await helper.run(['image', 'prune', '--all', '--image-store', join(helper.folder, store)]);
  }
  assert.ok(interrupted > kills / 3, `only ${interrupted} were interrupted`);
  for (let i = 0; i < 6; i++) {
    const { code, stderr } = await build(`killed${i}`).ended;
    assert.equal(code, 0, stderr);
    await checkMade(`killed${i}`, true);
    await helper.run(['image', 'prune', '--image-store', join(helper.folder, `killed${i}`)]);
    assert.deepEqual(readdirSync(join(helper.folder, `killed${i}`, 'temporary')), [], 'nothing is left of the dead');
  }
});

test('a build beside those who prune succeeds, or says that its cache went away', {
  skip,
  timeout: 300_000,
}, async () => {
  await openStoreWithBase('pruned');
  const store = join(helper.folder, 'pruned');
  for (const all of [[], ['--all']]) {
    for (let round = 0; round < 5; round++) {
      const running = build('pruned');
      let isOver = false;
      const ended = running.ended.finally(() => (isOver = true));
      while (!isOver) await helper.run(['image', 'prune', ...all, '--image-store', store]);
      const { code, stderr } = await ended;
      if (code !== 0) assert.match(stderr, /was removed during the build/);
      else await checkMade('pruned', true);
      assert.ok(code === 0 || all.length > 0, stderr);
      // The next one gets another digest under the same name.
      writeFileSync(join(context, 'file'), `from the context ${all} ${round}\n`);
    }
  }
  assert.deepEqual(readdirSync(join(store, 'temporary')), []);
});

test('two builds at once both succeed', { skip, timeout: 300_000 }, async () => {
  await openStoreWithBase('shared');
  for (let round = 0; round < 5; round++) {
    const results = await Promise.all([build('shared'), build('shared')].map(each => each.ended));
    for (const { code, stderr } of results) assert.equal(code, 0, stderr);
    await checkMade('shared', true);
    await helper.run(['image', 'remove', 'test/made:1', '--image-store', join(helper.folder, 'shared')]);
    await helper.run(['image', 'prune', '--all', '--image-store', join(helper.folder, 'shared')]);
  }
});
