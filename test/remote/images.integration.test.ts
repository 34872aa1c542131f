// Images of a cluster without internet: pulled on this machine, sent over the connection, run there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, type TestContext, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { showRun, startRun } from '#protocol/messages.ts';
import { findClientName } from '#remote/client-name.ts';
import { type Cluster, openCluster } from '#remote/cluster.ts';
import { type BringOptions, bringImages, type PullRoute } from '#remote/images.ts';
import { type LocalKit, loadKits } from '#remote/local-kit.ts';
import { uploadSources } from '#remote/sources.ts';
import { noPrompts } from '#ssh/prompts.ts';
import { start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { busyboxImage } from '../support/images.ts';
import { findUser, makeFolder } from '../support/machine.ts';
import { noRegistry, pushImage, type Registry, startRegistry } from '../support/registry.ts';
import { noSshd, type Sshd, type SshdOptions } from '../support/sshd.ts';
import { Layer } from '../support/tar.ts';

const noKit = existsSync('dist/kit') ? undefined : 'there is no kit: npm run build';

suite('images of a cluster', { skip: noSshd ?? noRegistry ?? noKit ?? false, timeout: 240_000 }, () => {
  let kits: LocalKit[];
  let registry: Registry;
  const large = busyboxImage({ layers: [fileLayer('large', 24_000_000)] });

  before(async () => {
    kits = await loadKits('dist/kit');
    registry = await startRegistry({ authentication: 'basic' });
    await pushImage(registry, 'library/plain:1', busyboxImage());
    await pushImage(registry, 'library/second:1', busyboxImage({ layers: [fileLayer('second', 1000)] }));
    await pushImage(registry, 'library/large:1', large);
  });
  after(() => registry.stop());

  test('one that needs a login here runs there, and the secret stays here', async context => {
    const { cluster, home, options } = await setUp(context, { offline: true });
    assert.deepEqual(await bring(cluster, options, ['plain:1']), ['docker.io/library/plain:1']);
    const detail = await runIn(cluster, 'plain:1');
    assert.equal(detail.state, 'success', detail.message);
    const found = spawnSync('grep', [
      '-rlE',
      '--exclude-dir=kit',
      `${registry.password}|${btoa(`alice:${registry.password}`)}`,
      home,
    ]);
    assert.equal(found.status, 1, String(found.stdout));
    assert.deepEqual(readdirSync(options.cacheFolder), []);
  });

  test('only the layers that are not there are sent, and an image that is there is not asked for', async context => {
    const { cluster, options } = await setUp(context, { offline: true });
    await bring(cluster, options, ['plain:1']);
    const before = cluster.connection.traffic().sent;
    assert.deepEqual(await bring(cluster, options, ['plain:1', 'second:1']), ['docker.io/library/second:1']);
    const sent = cluster.connection.traffic().sent - before;
    assert.ok(sent < 60_000, `${sent} bytes`);
    const detail = await runIn(cluster, 'second:1', 'test -e /second');
    assert.equal(detail.state, 'success', detail.message);
  });

  test('what a Dockerfile starts from comes too', async context => {
    const { cluster, options } = await setUp(context, { offline: true });
    const dockerFiles = ['FROM plain:1 AS base\nRUN true\nFROM base\nCOPY --from=second:1 /second /x\n'];
    const brought = await bringImages(cluster, { images: [], dockerFiles }, options);
    assert.deepEqual(brought, ['docker.io/library/plain:1', 'docker.io/library/second:1']);
  });

  test('a connection that breaks comes back, and the image goes on where it stopped', async context => {
    const { cluster, options, sshd } = await setUp(context, { offline: true });
    let isBroken = false;
    let most = 0;
    const done: number[] = [];
    const onProgress: BringOptions['onProgress'] = progress => {
      if (!progress.what.startsWith('bringing')) return;
      if (isBroken) done.push(progress.done);
      else most = progress.done;
      if (isBroken || progress.done < 12_000_000) return;
      isBroken = true;
      void sshd.dropConnections();
    };
    await bring(cluster, { ...options, onProgress }, ['large:1']);
    assert.ok(isBroken && done.length > 0);
    // It does not begin from nothing: what ssh had in its buffers is lost, and no more.
    const [first = 0] = done.filter(bytes => bytes > 0);
    assert.ok(first > most / 4, `${first} bytes after ${most}`);
    const detail = await runIn(cluster, 'large:1', 'test "$(wc -c < /large)" = 24000000');
    assert.equal(detail.state, 'success', detail.message);
  });

  test('who gives up goes on the next time, and what was damaged meanwhile is brought again', async context => {
    const { cluster, options, home } = await setUp(context, { offline: true });
    const enough = new AbortController();
    const onProgress: BringOptions['onProgress'] = ({ done }) =>
      void (done > 8_000_000 && enough.abort(new Error('enough')));
    await assert.rejects(bring(cluster, { ...options, onProgress, signal: enough.signal }, ['large:1']), /enough/);
    const folder = join(home, 'images', 'temporary');
    const parts = readdirSync(folder).filter(name => name.endsWith(`~${findClientName()}`));
    assert.equal(parts.length, 1, String(readdirSync(folder)));
    writeFileSync(join(folder, parts[0] as string), 'damaged');
    await bring(cluster, options, ['large:1']);
    assert.deepEqual(readdirSync(folder), []);
    const detail = await runIn(cluster, 'large:1');
    assert.equal(detail.state, 'success', detail.message);
  });

  test('a cluster that can pull does so, unless this machine is told to', async context => {
    const { cluster, options } = await setUp(context, {});
    const open = await startRegistry();
    context.after(() => open.stop());
    await pushImage(open, 'library/plain:1', busyboxImage());
    const mirrors = { 'docker.io': open.url };
    assert.deepEqual(await bring(cluster, { ...options, mirrors }, ['plain:1']), []);
    assert.deepEqual(await bring(cluster, { ...options, mirrors, route: 'cluster' }, ['no-such:1']), []);
    const name = 'docker.io/library/plain:1';
    assert.deepEqual(await bring(cluster, { ...options, mirrors, route: 'local' }, ['plain:1']), [name]);
  });

  test('a cluster whose registry wants a login that is only here gets the image from here', async context => {
    const { cluster, options } = await setUp(context, {});
    assert.deepEqual(await bring(cluster, options, ['plain:1']), ['docker.io/library/plain:1']);
    const detail = await runIn(cluster, 'plain:1');
    assert.equal(detail.state, 'success', detail.message);
  });

  test('where neither can, both reasons are told', async context => {
    const { cluster, options } = await setUp(context, { offline: true });
    await assert.rejects(bring(cluster, options, ['no-such:1']), error => {
      assert.ok(isFailure(error, 'image/no-such-image'), String(error));
      assert.match(error.message, /docker.io\/library\/no-such:1 can't be pulled by the cluster \(.+\), nor by this/);
      return true;
    });
    const findCredentials = async () => ({ username: 'alice', password: 'wrong' });
    await assert.rejects(bring(cluster, { ...options, findCredentials }, ['plain:1']), hasCode('image/access-denied'));
  });

  async function setUp(context: TestContext, sshdOptions: SshdOptions) {
    const sshd = await start(context, sshdOptions);
    const home = makeFolder(findUser(), 'cwl-images-');
    const cacheFolder = mkdtempSync(join(tmpdir(), 'cwl-near-'));
    context.after(() => {
      home.remove();
      rmSync(cacheFolder, { recursive: true, force: true });
    });
    const cluster = await connect(context, sshd, home.path);
    const { username, password } = registry;
    const options: BringOptions = {
      route: 'auto' as PullRoute,
      mirrors: { 'docker.io': registry.url },
      cacheFolder,
      findCredentials: async () => ({ username, password }),
    };
    return { cluster, sshd, home: home.path, options };
  }

  async function connect(context: TestContext, sshd: Sshd, folder: string): Promise<Cluster> {
    const cluster = await openCluster({ host: 'cluster', configFile: sshd.config, folder }, noPrompts, { kits });
    context.after(() => cluster.close());
    return cluster;
  }
});

function bring(cluster: Cluster, options: BringOptions, images: string[]): Promise<string[]> {
  return bringImages(cluster, { images, dockerFiles: [] }, options);
}

/** Random content: compression does not make it smaller. */
function fileLayer(name: string, size: number): Layer {
  return new Layer().file(name, randomBytes(size));
}

/** A step in the image, on a cluster whose registries nobody may ask. */
async function runIn(cluster: Cluster, image: string, script = 'true') {
  const tool = {
    cwlVersion: 'v1.2',
    class: 'CommandLineTool',
    requirements: { DockerRequirement: { dockerPull: image } },
    baseCommand: ['sh', '-c', script],
    inputs: {},
    outputs: {},
  };
  const files = [{ path: 'tool.cwl', content: { bytes: Buffer.from(JSON.stringify(tool)) } }];
  const sources = await uploadSources(cluster, files);
  const { id } = await cluster.request(startRun, { sources, tool: 'tool.cwl', inputs: {}, label: image });
  for (;;) {
    const detail = await cluster.request(showRun, { id });
    if (!['starting', 'running'].includes(detail.state)) return detail;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}
