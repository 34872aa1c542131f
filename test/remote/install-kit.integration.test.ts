// How a kit gets on a host: what is sent, what is not sent again, and what happens where it can't be put.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isFailure } from '#base/failure.ts';
import { findClientName } from '#remote/client-name.ts';
import type { Installed } from '#remote/host-report.ts';
import { installKit } from '#remote/install-kit.ts';
import type { LocalKit } from '#remote/local-kit.ts';
import { probeHost } from '#remote/probe-host.ts';
import { uninstall } from '#remote/uninstall.ts';
import type { Connection } from '#ssh/connection.ts';
import { connect, start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { makeFolder, run } from '../support/machine.ts';
import { makeSmallKit } from '../support/small-kit.ts';
import { noSshd, type Sshd, type SshdOptions } from '../support/sshd.ts';

suite('installing a kit', { skip: noSshd ?? false, timeout: 180_000 }, () => {
  test('the first time all of it is sent, the second time nothing, in one round trip', async context => {
    const { connection, folder, kit } = await setUp(context, { shell: 'tcsh' });
    const size = kit.pieces.reduce((sum, piece) => sum + piece.size, 0);
    const progress: number[] = [];
    const first = await measure(connection, async () => {
      const installed = await install(connection, kit, folder, { onProgress: ({ done }) => progress.push(done) });
      const home = join(installed.home, 'kit', kit.digest);
      assert.equal(statSync(join(home, 'bin', 'proot')).mode & 0o777, 0o755);
      assert.equal(statSync(installed.helper).mode & 0o777, 0o644);
      assert.equal(statSync(installed.helper).size, kit.pieces[0]?.size);
      assert.ok(existsSync(join(home, 'runtime', 'node')));
      const node = readFileSync(installed.node, 'latin1');
      const loader = join(installed.home, 'kit', readlinkSync(join(home, 'runtime')).slice(3), 'lib', 'ld.so');
      assert.ok(node.includes(`#${loader}\0`), node);
    });
    assert.ok(first.sent > size && first.sent < size * 1.05 + 20_000, `${first.sent} of ${size}`);
    assert.equal(first.channels, 2);
    assert.ok(progress.includes(size), 'progress reaches the end');
    const second = await measure(connection, () => install(connection, kit, folder));
    assert.ok(second.sent < 6000, `${second.sent} bytes`);
    assert.equal(second.channels, 1);
  });

  test('a newer kit sends only what is new', async context => {
    const { connection, folder, kit } = await setUp(context, {}, 2_000_000);
    await install(connection, kit, folder);
    const newer = change(context, kit, 'console.log("newer")\n');
    const { sent } = await measure(connection, () => install(connection, newer, folder));
    assert.ok(sent < 30_000, `${sent} bytes`);
    assert.ok(existsSync(join(folder, 'kit', kit.digest)), 'a run may still use the older one');
  });

  test('a kit that lost a file is made whole again', async context => {
    const { connection, folder, kit } = await setUp(context);
    const installed = await install(connection, kit, folder);
    for (const damage of [() => rmSync(installed.helper), () => truncateSync(installed.helper, 1)]) {
      damage();
      rmSync(join(folder, 'kit', 'pieces'), { recursive: true });
      assert.deepEqual(await install(connection, kit, folder), installed);
      assert.equal(statSync(installed.helper).size, kit.pieces[0]?.size);
    }
  });

  test('an upload that broke is taken up where it broke', async context => {
    const { connection, folder, kit, sshd } = await setUp(context, {}, 20_000_000);
    const drop = ({ done }: { done: number }) => void (done > 8_000_000 && sshd.dropConnections());
    await assert.rejects(install(connection, kit, folder, { onProgress: drop }), hasCode('ssh/lost'));
    assert.deepEqual(readdirSync(join(folder, 'kit')), ['pieces']);
    const present = sizesIn(await givenBack(join(folder, 'kit', 'pieces')));
    assert.ok(present > 1_000_000, `${present} bytes are there`);
    const again = await connect(context, sshd);
    const { sent } = await measure(again, () => install(again, kit, folder));
    assert.ok(sent < 20_200_000 - present, `${sent} bytes were sent after ${present}`);
    const piece = readFileSync(join(folder, 'kit', kit.digest, 'bin', 'proot'));
    assert.ok(piece.equals(readFileSync(join(kit.folder, 'proot'))));
  });

  test('what was left half does not have to be right', async context => {
    const { connection, folder, kit, sshd } = await setUp(context, {}, 8_000_000);
    const drop = ({ done }: { done: number }) => void (done > 4_000_000 && sshd.dropConnections());
    await assert.rejects(install(connection, kit, folder, { onProgress: drop }), hasCode('ssh/lost'));
    const pieces = await givenBack(join(folder, 'kit', 'pieces'));
    for (const name of readdirSync(pieces).filter(name => name.startsWith('.'))) {
      truncateSync(join(pieces, name), 1000);
      appendFileSync(join(pieces, name), 'damage');
    }
    const again = await connect(context, sshd);
    await install(again, kit, folder);
    assert.deepEqual(
      readdirSync(pieces).filter(name => name.startsWith('.')),
      [],
    );
  });

  test('giving up leaves no kit', async context => {
    const { connection, folder, kit } = await setUp(context, {}, 20_000_000);
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => void (done > 5_000_000 && controller.abort(new Error('enough')));
    await assert.rejects(install(connection, kit, folder, { onProgress, signal: controller.signal }), /enough/);
    await connection.exec(['true']);
    assert.deepEqual(readdirSync(join(folder, 'kit')), ['pieces']);
  });

  test('two that install at once both succeed', async context => {
    const { connection, folder, kit, sshd } = await setUp(context, {}, 3_000_000);
    const other = await connect(context, sshd);
    const results = await Promise.all([install(connection, kit, folder), install(other, kit, folder)]);
    assert.deepEqual(results[0], results[1]);
    assert.ok(
      readFileSync(join(folder, 'kit', kit.digest, 'bin', 'proot')).equals(readFileSync(join(kit.folder, 'proot'))),
    );
    const left = readdirSync(join(folder, 'kit')).filter(name => name.startsWith('.'));
    assert.deepEqual(left, []);
  });

  test('the runtime stays at home where the cluster has a Node', async context => {
    const { folder, kit, sshd } = await setUp(context, { extra: [`SetEnv PATH=${nodeFolder(context)}:/usr/bin:/bin`] });
    const connection = await connect(context, sshd);
    const report = await probeHost(connection, { folder, kits: [kit] });
    assert.equal(report.node?.version, process.versions.node);
    const installed = await installKit(connection, [kit], report);
    assert.equal(installed.node, report.node?.path);
    assert.deepEqual(
      readdirSync(join(folder, 'kit')).filter(name => name.startsWith('runtime')),
      [],
    );
    assert.ok((await probeHost(connection, { folder, kits: [kit] })).installed);
  });

  test('without sha256sum and openssl the pieces are checked by cksum', async context => {
    const { folder, kit, sshd } = await setUp(context, { extra: [`SetEnv PATH=${fewPrograms(context)}`] });
    const connection = await connect(context, sshd);
    assert.equal((await connection.exec('command -v sha256sum || command -v openssl')).stdout, '');
    const installed = await install(connection, kit, folder);
    assert.ok(existsSync(installed.helper));
  });

  test('a full disk is told before anything is sent, and while it is', async context => {
    const { connection, folder, kit } = await setUp(context, {}, 6_000_000);
    mountTmpfs(folder, 'size=4m');
    await assert.rejects(install(connection, kit, folder), error => {
      assert.ok(isFailure(error, 'remote/no-space'), String(error));
      assert.match(error.message, /kB are needed and/);
      return true;
    });
    assert.deepEqual(sizesIn(join(folder, 'kit', 'pieces')), 0);
    // Space that vanishes after the look: somebody else writes.
    run('mount', ['-o', 'remount,size=9m', folder]);
    const fill = ({ done }: { done: number }) => {
      if (done > 100_000 && !existsSync(join(folder, 'other')))
        writeFileSync(join(folder, 'other'), Buffer.alloc(5_500_000));
    };
    await assert.rejects(install(connection, kit, folder, { onProgress: fill }), hasCode('remote/no-space'));
    assert.deepEqual(sizesIn(join(folder, 'kit', 'pieces')) < 1000, true);
    rmSync(join(folder, 'other'));
    await install(connection, kit, folder);
  });

  test('a folder that is mounted noexec is told', async context => {
    const { connection, folder, kit } = await setUp(context);
    mountTmpfs(folder, 'noexec');
    await assert.rejects(install(connection, kit, folder), error => {
      assert.ok(isFailure(error, 'remote/noexec'), String(error));
      assert.match(error.hint ?? '', /install folder/);
      return true;
    });
    assert.deepEqual(readdirSync(folder), []);
  });

  test('a folder of somebody else is told', async context => {
    const { connection, folder, kit } = await setUp(context);
    chownSync(folder, 0, 0);
    chmodSync(folder, 0o755);
    await assert.rejects(install(connection, kit, folder), hasCode('remote/not-writable'));
    await assert.rejects(install(connection, kit, `${folder}/below`), hasCode('remote/not-writable'));
  });

  test('a runtime that does not start is told with what it said, and removed', async context => {
    const { connection, folder, kit } = await setUp(context);
    const wrong = { ...kit, runtime: { ...kit.runtime, nodePath: 'runtime/lib/ld.so' } };
    await assert.rejects(install(connection, wrong, folder), error => {
      assert.ok(isFailure(error, 'remote/runtime'), String(error));
      assert.match(error.message, /ermission denied/);
      return true;
    });
    assert.deepEqual(readdirSync(join(folder, 'kit')), ['pieces']);
  });

  test('a variable of the login shell names the folder, and one that is not set is told', async context => {
    const { connection, folder, kit, sshd } = await setUp(context, { extra: ['SetEnv CWL_PLACE=/nowhere'] });
    const named = await connect(context, sshd);
    const report = await probeHost(named, { folder: '$CWL_PLACE/x', kits: [kit] });
    assert.equal(report.folders[0]?.path, '/nowhere/x');
    assert.equal(report.folders[0]?.writable, false);
    await assert.rejects(install(connection, kit, '$CWL_NO_SUCH/x'), hasCode('remote/folder'));
    assert.deepEqual(readdirSync(folder), []);
  });

  test('uninstall removes what was asked for and tells it', async context => {
    const { connection, folder, kit, sshd } = await setUp(context);
    await install(connection, kit, folder);
    const { user } = sshd;
    for (const name of ['runs', 'images']) mkdirSync(join(folder, name, 'one'), { recursive: true });
    writeFileSync(join(folder, 'images', 'one', 'file'), 'x'.repeat(5000));
    run('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
    chmodSync(join(folder, 'images', 'one'), 0o555);
    const removed = await uninstall(connection, folder, ['kit', 'images', 'sources']);
    const paths = removed.map(each => each.path);
    for (const name of [`kit/${kit.digest}`, 'kit', 'images/one', 'images'])
      assert.ok(paths.includes(join(folder, name)), name);
    assert.ok((removed.find(each => each.path.endsWith('images/one'))?.bytes ?? 0) >= 5000);
    assert.deepEqual(readdirSync(folder), ['runs']);
    await uninstall(connection, folder, ['runs']);
    assert.equal((await uninstall(connection, folder, ['kit', 'runs'])).length, 0);
  });
});

interface Stage {
  sshd: Sshd;
  connection: Connection;
  /** Empty, and the account's own. */
  folder: string;
  kit: LocalKit;
}

async function setUp(context: TestContext, options: SshdOptions = {}, bulk = 100_000): Promise<Stage> {
  const sshd = await start(context, options);
  const folder = makeFolder(sshd.user, 'cwl-home-');
  context.after(() => {
    // Tests may have mounted something there.
    spawnSync('/usr/bin/umount', [folder.path], { stdio: 'ignore' });
    folder.remove();
  });
  const kit = makeSmallKit({ bulk });
  context.after(() => kit.remove());
  return { sshd, connection: await connect(context, sshd), folder: folder.path, kit };
}

async function install(
  connection: Connection,
  kit: LocalKit,
  folder: string,
  options: Parameters<typeof installKit>[3] = {},
): Promise<Installed> {
  const report = await probeHost(connection, { folder, kits: [kit] });
  return installKit(connection, [kit], report, options);
}

async function measure(
  connection: Connection,
  work: () => Promise<unknown>,
): Promise<{ sent: number; channels: number }> {
  const before = connection.traffic();
  await work();
  const after = connection.traffic();
  return { sent: after.sent - before.sent, channels: after.channels - before.channels };
}

/** The same kit with another helper. */
function change(context: TestContext, kit: LocalKit, helper: string): LocalKit {
  const other = makeSmallKit({ bulk: 10, helper });
  context.after(() => other.remove());
  const pieces = kit.pieces.map(piece =>
    piece.path === 'helper.cjs'
      ? {
          ...(other.pieces[0] as LocalKit['pieces'][0]),
          source: join('..', other.folder.split('/').at(-1) as string, 'helper.cjs'),
        }
      : piece,
  );
  return { ...kit, pieces, digest: other.digest };
}

function mountTmpfs(folder: string, options: string): void {
  const { uid, gid } = statSync(folder);
  run('mount', ['-t', 'tmpfs', '-o', `${options},uid=${uid},gid=${gid},mode=755`, 'tmpfs', folder]);
}

/** A folder with this Node, for accounts that may not look into the checkout. */
function nodeFolder(context: TestContext): string {
  const folder = makeFolder({ name: 'root', uid: 0, gid: 0, home: '/root' }, 'cwl-node-');
  context.after(() => folder.remove());
  run('cp', [process.execPath, join(folder.path, 'node')]);
  return folder.path;
}

/** What a very small system has. */
function fewPrograms(context: TestContext): string {
  const folder = makeFolder({ name: 'root', uid: 0, gid: 0, home: '/root' }, 'cwl-path-');
  context.after(() => folder.remove());
  const names =
    'cat chmod cksum cp dd df dirname du env find getconf grep gzip head id ln ls mkdir mv printenv rm rmdir sed sh stat tar tr truncate uname wc';
  for (const name of names.split(' ')) {
    const program = run('sh', ['-c', 'PATH=/usr/bin:/bin command -v "$1"', 'sh', name]).trim();
    symlinkSync(program, join(folder.path, name));
  }
  return folder.path;
}

/** The script on the host notices a moment after us that the connection broke, and names then what had arrived. */
async function givenBack(pieces: string): Promise<string> {
  const isHeld = (name: string) => name.startsWith('.') && !name.endsWith(`.${findClientName()}`);
  while (readdirSync(pieces).some(isHeld)) await setTimeout(10);
  return pieces;
}

function sizesIn(folder: string): number {
  return readdirSync(folder)
    .map(name => statSync(join(folder, name)).size)
    .reduce((sum, size) => sum + size, 0);
}
