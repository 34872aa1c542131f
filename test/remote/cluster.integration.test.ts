// The near end and the real kit on a real host: connect, install, talk, lose the connection, move files.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, type TestContext, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import {
  cancelRun,
  findMissingSources,
  listRuns,
  runChanged,
  showRun,
  startRun,
  verifySource,
} from '#protocol/messages.ts';
import { Cluster, type ClusterOptions, type ClusterState, openCluster } from '#remote/cluster.ts';
import { downloadFile } from '#remote/download.ts';
import { openHelper } from '#remote/helper.ts';
import { type LocalKit, loadKits } from '#remote/local-kit.ts';
import { uploadSources } from '#remote/sources.ts';
import { noPrompts, type Prompts } from '#ssh/prompts.ts';
import { start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { findUser, makeFolder } from '../support/machine.ts';
import { recordPrompts } from '../support/prompts.ts';
import { noSshd, type Sshd } from '../support/sshd.ts';

const noKit = existsSync('dist/kit') ? undefined : 'there is no kit: npm run build';

suite('a cluster', { skip: noSshd ?? noKit ?? false, timeout: 240_000 }, () => {
  let kits: LocalKit[];
  let home: ReturnType<typeof makeFolder>;

  before(async () => {
    kits = await loadKits('dist/kit');
    home = makeFolder(findUser(), 'cwl-cluster-');
  });
  after(() => home.remove());

  test('the first connection installs the kit, the second sends nothing and opens two channels', async context => {
    const sshd = await start(context);
    const states: ClusterState['kind'][] = [];
    const onState = ({ kind }: ClusterState) => void (states.at(-1) === kind || states.push(kind));
    const first = await connect(context, sshd, { onState });
    assert.deepEqual(states, ['connecting', 'installing', 'ready']);
    assert.equal(first.helper.hello.home, home.path);
    assert.equal(first.helper.hello.user, sshd.user.name);
    assert.deepEqual(await first.ask(listRuns), []);
    first.close();
    states.length = 0;
    const second = await connect(context, sshd, { onState });
    const { sent, channels } = second.connection.traffic();
    assert.ok(sent < 10_000, `${sent} bytes`);
    assert.equal(channels, 2);
    assert.deepEqual(states, ['connecting', 'ready']);
    second.close();
    assert.equal(states.at(-1), 'closed');
    await assert.rejects(second.ask(listRuns), hasCode('remote/disconnected'));
  });

  test('a failure of the helper keeps its code', async context => {
    const cluster = await connect(context, await start(context));
    await assert.rejects(cluster.request(showRun, { id: 'none' }), hasCode('run/unknown'));
    await assert.rejects(cluster.request(findMissingSources, { digests: ['none'] }), hasCode('helper/bad-request'));
  });

  test('a helper that does not start is quoted', async context => {
    const cluster = await connect(context, await start(context));
    const wrong = { ...cluster.installed, helper: `${home.path}/no-such-helper.cjs` };
    await assert.rejects(openHelper(cluster.connection, wrong), error => {
      assert.ok(isFailure(error, 'remote/helper'), String(error));
      assert.match(error.hint ?? '', /Cannot find module/);
      return true;
    });
  });

  test('a run is started, watched to its end, and its output fetched', async context => {
    const cluster = await connect(context, await start(context));
    const id = await startEcho(cluster);
    const detail = await ended(cluster, id);
    assert.equal(detail.state, 'success', detail.message);
    const output = detail.outputs?.out as { path?: string; location: string; checksum: string };
    const target = join(temporary(context), 'out.txt');
    const path = output.path ?? new URL(output.location).pathname;
    await downloadFile(cluster, path, target, { checksum: output.checksum });
    assert.equal(readFileSync(target, 'utf8'), 'hello\n');
    await assert.rejects(downloadFile(cluster, path, target, { checksum: 'sha1$0000' }), hasCode('remote/damaged'));
    assert.ok(!existsSync(`${target}.part`));
  });

  test('where the key alone opens, a lost connection comes back by itself and goes on telling', async context => {
    const sshd = await start(context);
    const cluster = await connect(context, sshd);
    const changed: string[] = [];
    cluster.on(runChanged, run => changed.push(run.id));
    const lost = next(cluster, 'lost');
    await sshd.dropConnections();
    assert.equal((await lost).retrying, true);
    await next(cluster, 'ready');
    const id = await startEcho(cluster);
    await ended(cluster, id);
    for (let i = 0; i < 50 && !changed.includes(id); i++) await new Promise(resolve => setTimeout(resolve, 100));
    assert.ok(changed.includes(id));
  });

  test('a helper that is killed is started again without a login', async context => {
    const sshd = await start(context);
    const cluster = await connect(context, sshd);
    const { pid } = cluster.helper.hello;
    await new Promise(resolve => setTimeout(resolve, 2100));
    const ready = next(cluster, 'ready');
    process.kill(pid, 'SIGKILL');
    await ready;
    assert.notEqual(cluster.helper.hello.pid, pid);
    assert.deepEqual(sshd.log().match(/Accepted publickey/g)?.length, 1);
  });

  test('where a person was asked, nothing is tried without them', async context => {
    const sshd = await start(context, { authenticationMethods: 'publickey,keyboard-interactive' });
    const prompts = recordPrompts(() => [sshd.password]);
    const cluster = await connect(context, sshd, {}, prompts);
    const lost = next(cluster, 'lost');
    await sshd.dropConnections();
    assert.equal((await lost).retrying, false);
    await new Promise(resolve => setTimeout(resolve, 1500));
    assert.equal(sshd.log().match(/Connection from/g)?.length, 1);
    assert.equal(prompts.questions.length, 1);
    await Promise.all([cluster.reconnect(), cluster.reconnect()]);
    assert.equal(prompts.questions.length, 2);
    assert.deepEqual((await cluster.ask(listRuns)).length > 0, true);
  });

  test('closing ends an attempt that is under way', async context => {
    const sshd = await start(context, { authenticationMethods: 'password' });
    const settings = { host: 'cluster', configFile: sshd.config, folder: home.path };
    const cluster = new Cluster(settings, { ...noPrompts, ask: () => new Promise(() => {}) }, { kits });
    const attempt = cluster.reconnect();
    setTimeout(() => cluster.close(), 500);
    await assert.rejects(attempt, hasCode('ssh/cancelled'));
    assert.equal(cluster.state.kind, 'closed');
  });

  test('a request that waits when the connection breaks is told so', async context => {
    const sshd = await start(context);
    const cluster = await connect(context, sshd);
    const id = await startEcho(cluster, 'sleep 30');
    const waiting = Promise.all([cluster.request(cancelRun, { id }), sshd.dropConnections()]);
    await waiting.then(
      () => {},
      error => assert.ok(isFailure(error, 'ssh/lost'), String(error)),
    );
    cluster.close();
    const again = await connect(context, sshd);
    await again.request(cancelRun, { id }).catch(error => assert.ok(isFailure(error), String(error)));
    assert.notEqual((await again.request(showRun, { id })).state, 'running');
  });

  for (const sftp of [true, false]) {
    test(`sources go up once, ${sftp ? 'by sftp' : 'through the shell'}`, async context => {
      const cluster = await connect(context, await start(context, { sftp }));
      const large = join(temporary(context), 'large');
      writeFileSync(large, randomBytes(5_000_000));
      const files = [
        { path: 'tool.cwl', content: { bytes: Buffer.from(`text ${sftp}`) } },
        { path: 'data/large', content: { file: large } },
      ];
      const progress: [number, number | undefined][] = [];
      const sources = await uploadSources(cluster, files, {
        onProgress: each => progress.push([each.done, each.total]),
      });
      assert.deepEqual(
        sources.map(source => source.path),
        ['tool.cwl', 'data/large'],
      );
      assert.deepEqual(progress.at(-1), [5_000_005 + String(sftp).length, 5_000_005 + String(sftp).length]);
      const stored = join(home.path, 'sources', sources[1]?.digest as string);
      assert.ok(readFileSync(stored).equals(readFileSync(large)));
      const before = cluster.connection.traffic().sent;
      assert.deepEqual(await uploadSources(cluster, files), sources);
      assert.ok(cluster.connection.traffic().sent - before < 2000);
    });
  }

  test('an upload of sources that broke is taken up, even where what is left is wrong', async context => {
    const sshd = await start(context);
    const large = join(temporary(context), 'large');
    writeFileSync(large, randomBytes(20_000_000));
    const files = [{ path: 'large', content: { file: large } }];
    for (const damage of [false, true]) {
      const cluster = await connect(context, sshd);
      const onProgress = ({ done }: { done: number }) => void (done > 8_000_000 && sshd.dropConnections());
      await assert.rejects(uploadSources(cluster, files, { onProgress }), hasCode('ssh/lost'));
      cluster.close();
      const sources = join(home.path, 'sources');
      const [part] = readdirSync(sources).filter(name => name.endsWith('.part'));
      assert.ok(part);
      if (damage) truncateSync(join(sources, part), 1_000_000);
      if (damage) writeFileSync(join(sources, part), 'wrong');
      const again = await connect(context, sshd);
      const [source] = await uploadSources(again, files);
      assert.ok(readFileSync(join(sources, source?.digest as string)).equals(readFileSync(large)));
      if (!damage) assert.ok(again.connection.traffic().sent < 18_000_000);
      rmSync(join(sources, source?.digest as string));
    }
  });

  test('a file that is not there is named before anything is sent', async context => {
    const cluster = await connect(context, await start(context));
    const files = [{ path: 'x', content: { file: '/no/such/file' } }];
    await assert.rejects(uploadSources(cluster, files), error => {
      assert.ok(isFailure(error, 'remote/no-such-input'), String(error));
      assert.match(error.message, /\/no\/such\/file/);
      return true;
    });
    await assert.rejects(cluster.request(verifySource, { digest: '0'.repeat(64) }), hasCode('source/missing'));
  });

  test('with one session only, all but terminals and large inputs works', async context => {
    const cluster = await connect(context, await start(context, { maxSessions: 1 }));
    const id = await startEcho(cluster);
    const output = (await ended(cluster, id)).outputs?.out as { path?: string; location: string };
    const target = join(temporary(context), 'out.txt');
    await downloadFile(cluster, output.path ?? new URL(output.location).pathname, target);
    assert.equal(readFileSync(target, 'utf8'), 'hello\n');
    await assert.rejects(
      cluster.openTerminal(['runs', 'list'], { columns: 80, rows: 24 }),
      hasCode('ssh/too-many-channels'),
    );
  });

  test('a terminal runs a command of the helper', async context => {
    const cluster = await connect(context, await start(context, { shell: undefined }));
    const terminal = await cluster.openTerminal(['--version'], { columns: 80, rows: 24 });
    let text = '';
    for await (const chunk of terminal.stream) text += chunk;
    assert.equal(text.trim(), cluster.helper.hello.version);
  });

  async function connect(
    context: TestContext,
    sshd: Sshd,
    options: Partial<ClusterOptions> = {},
    prompts: Prompts = noPrompts,
  ): Promise<Cluster> {
    const settings = { host: 'cluster', configFile: sshd.config, folder: home.path };
    const cluster = await openCluster(settings, prompts, { kits, ...options });
    context.after(() => cluster.close());
    return cluster;
  }
});

/** Starts a tool that writes hello to `out`. */
async function startEcho(cluster: Cluster, command = 'echo hello'): Promise<string> {
  const tool = {
    cwlVersion: 'v1.2',
    class: 'CommandLineTool',
    baseCommand: ['sh', '-c', command],
    inputs: {},
    outputs: { out: { type: 'stdout' } },
    stdout: 'out.txt',
  };
  const files = [{ path: 'tool.cwl', content: { bytes: Buffer.from(JSON.stringify(tool)) } }];
  const sources = await uploadSources(cluster, files);
  const request = { sources, tool: 'tool.cwl', inputs: {}, label: command, options: { engine: 'host' } };
  return (await cluster.request(startRun, request)).id;
}

async function ended(cluster: Cluster, id: string) {
  for (;;) {
    const detail = await cluster.request(showRun, { id });
    if (!['starting', 'running'].includes(detail.state)) return detail;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

function next<K extends ClusterState['kind']>(cluster: Cluster, kind: K): Promise<ClusterState & { kind: K }> {
  return new Promise(resolve => {
    const stop = cluster.onState(state => {
      if (state.kind !== kind) return;
      stop();
      resolve(state as ClusterState & { kind: K });
    });
  });
}

function temporary(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-near-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
