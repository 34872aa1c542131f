// What goes wrong between a registry and us: each fault has one clear message and leaves nothing, or goes away by itself.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { formatFailure, isFailure } from '#base/failure.ts';
import { pullImage } from '#image/pull.ts';
import { openStore } from '#image/store.ts';
import { buildImage, digestOf } from '../support/images.ts';
import { Layer } from '../support/tar.ts';
import { type Fault, startFaultyRegistry } from './faulty-registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'cwl-faults-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

const random = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919 * (i % 251)) & 255));
const image = buildImage({ layers: [new Layer().file('a', random), new Layer().file('b', 'top')] });
const [bottom = '', top = ''] = layersOf();

function layersOf(): string[] {
  const manifest = JSON.parse(image.manifest.toString('utf8')) as { layers: { digest: string }[] };
  return manifest.layers.map(layer => layer.digest);
}

/** Pulls from a registry with that fault: the files that came, or the failure, and what was asked for. */
async function pull(fault?: Fault, reference = 'docker.io/tool:latest', signal?: AbortSignal) {
  const registry = await startFaultyRegistry(image, fault);
  const store = openStore(join(folder, `${count++}`));
  const warnings: string[] = [];
  const log = { debug() {}, info: (text: string) => void warnings.push(text), warn() {} };
  try {
    const mirrors = { 'docker.io': registry.url };
    const made = await pullImage(reference, {
      store,
      mirrors,
      log,
      signal,
      retryDelay: 1,
      findCredentials: async () => undefined,
    });
    const { length: size } = readFileSync(join(made.rootfs, 'a'));
    return { size, text: '', requests: registry.requests, warnings, store };
  } catch (error) {
    const leftovers = ['temporary', 'rootfs/v1', 'references'].flatMap(name => readdirSync(join(store.folder, name)));
    assert.deepEqual(leftovers, [], 'nothing half-made');
    return { error, text: formatFailure(error), requests: registry.requests, warnings, store };
  } finally {
    await registry.stop();
  }
}

const isBlob = (url: string | undefined, digest: string) => url?.endsWith(digest) === true;

test('all four media types are asked for, and the top layer first', async () => {
  const { size, requests } = await pull();
  assert.equal(size, random.length);
  assert.match(requests[0]?.accept ?? '', /oci.image.index.*oci.image.manifest.*manifest.list.v2.*manifest.v2/);
  const blobs = requests.filter(each => each.line.includes('/blobs/')).map(each => each.line.split('/').at(-1));
  assert.ok(blobs.indexOf(top) < blobs.indexOf(bottom));
});

test('a broken connection goes on where it stopped', async () => {
  const { size, requests, warnings } = await pull((request, response, body, tries) => {
    if (!isBlob(request.url, bottom) || tries > 2) return false;
    const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
    response.writeHead(start ? 206 : 200, {
      'content-length': body.length - start,
      'content-range': `bytes ${start}-${body.length - 1}/${body.length}`,
    });
    response.write(body.subarray(start, start + 20_000), () => setTimeout(() => response.destroy(), 20));
    return true;
  });
  assert.equal(size, random.length);
  const ranges = requests.filter(each => isBlob(each.line, bottom)).map(each => each.range);
  assert.deepEqual(ranges, [undefined, 'bytes=20000-', 'bytes=40000-', 'bytes=60000-']);
  assert.equal(warnings.length, 3);
});

test('a registry that knows no ranges sends the whole again', async () => {
  const { size } = await pull((request, response, body, tries) => {
    if (!isBlob(request.url, bottom)) return false;
    if (tries === 0) response.write(body.subarray(0, 20_000), () => setTimeout(() => response.destroy(), 20));
    else response.end(body);
    return true;
  });
  assert.equal(size, random.length);
});

test('a blob that always ends early', async () => {
  const { error, text, requests } = await pull((request, response, body) => {
    if (!isBlob(request.url, bottom)) return false;
    response.end(body.subarray(0, 1000));
    return true;
  });
  assert.ok(isFailure(error, 'image/registry-unreachable'), text);
  assert.match(text, /the connection ended after 1000 of \d+ bytes/);
  assert.equal(requests.filter(each => isBlob(each.line, bottom)).length, 5);
});

test('a blob with another digest is not kept', async () => {
  const { error, text, store } = await pull((request, response, body) => {
    if (!isBlob(request.url, bottom)) return false;
    const changed = Buffer.from(body);
    changed[changed.length - 9]! ^= 1;
    response.end(changed);
    return true;
  });
  assert.ok(isFailure(error, 'image/digest-mismatch'), text);
  assert.match(text, new RegExp(`a layer from 127.* has the digest sha256:\\w+, not ${bottom}`));
  assert.ok(!store.hasBlob(bottom));
});

test('a blob that is longer than it should be', async () => {
  const { error, text } = await pull((request, response, body) => {
    if (!isBlob(request.url, bottom)) return false;
    response.end(Buffer.concat([body, body]));
    return true;
  });
  assert.ok(isFailure(error, 'image/digest-mismatch'), text);
});

test('a manifest with another digest', async () => {
  const wrong = Buffer.from(image.manifest.toString('utf8').replace('"schemaVersion":2', '"schemaVersion": 2'));
  const { error, text } = await pull((request, response) => {
    if (!request.url?.includes('/manifests/')) return false;
    response.end(wrong);
    return true;
  }, `docker.io/tool@${image.digest}`);
  assert.ok(isFailure(error, 'image/digest-mismatch'), text);
});

test('no such image', async () => {
  const { error, text, requests } = await pull(undefined, 'docker.io/tool:nosuch');
  assert.ok(isFailure(error, 'image/no-such-image'), text);
  assert.match(text, /has no image docker\.io\/library\/tool:nosuch \(manifest unknown\)/);
  assert.equal(requests.length, 1);
});

test('access denied', async () => {
  const { error, text } = await pull((_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  });
  assert.ok(isFailure(error, 'image/access-denied'), text);
  assert.match(text, /docker login/);
});

test('too many requests: waits as told, then gives up', async () => {
  const once = await pull((_, response, __, tries) => {
    if (tries > 0) return false;
    response.writeHead(429, { 'retry-after': '0' }).end();
    return true;
  });
  assert.equal(once.size, random.length);
  const always = await pull((_, response) => {
    response
      .writeHead(429, { 'retry-after': '0' })
      .end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}');
    return true;
  });
  assert.ok(isFailure(always.error, 'image/rate-limited'), always.text);
  assert.match(always.text, /too many requests \(slow down\)/);
});

test('a server in trouble', async () => {
  const once = await pull((_, response, __, tries) => {
    if (tries > 1) return false;
    response.writeHead(503).end('<html>');
    return true;
  });
  assert.equal(once.size, random.length);
  const always = await pull((_, response) => {
    response.writeHead(500).end();
    return true;
  });
  assert.ok(isFailure(always.error, 'image/registry'), always.text);
  assert.match(always.text, /answers 500/);
  assert.equal(always.requests.length, 5);
});

test('manifests that make no sense', async () => {
  const cases: [string, string, RegExp][] = [
    ['<html>', 'image/invalid-manifest', /is not JSON/],
    ['{"schemaVersion":1,"fsLayers":[]}', 'image/schema-1', /schema 1/],
    ['{"schemaVersion":2}', 'image/invalid-manifest', /neither layers nor manifests/],
    ['{"config":{"digest":"sha256:../../x","size":1},"layers":[]}', 'image/invalid-manifest', /is no sha256 digest/],
    ['{"manifests":[]}', 'image/no-platform', /has no image for linux/],
    [`{"x":"${'x'.repeat(5 << 20)}"}`, 'image/registry', /sent more than 4194304 bytes/],
  ];
  for (const [body, code, message] of cases) {
    const { error, text } = await pull((request, response) => {
      if (!request.url?.includes('/manifests/')) return false;
      response.end(body);
      return true;
    });
    assert.ok(isFailure(error, code), `${code}: ${text}`);
    assert.match(text, message);
  }
});

test('nobody there', async () => {
  const store = openStore(join(folder, 'nobody'));
  const mirrors = { 'docker.io': 'http://127.0.0.1:1' };
  await assert.rejects(pullImage('tool', { store, mirrors }), { code: 'image/registry-unreachable' });
});

test('the password does not follow a redirection to another host', async () => {
  const seen: (string | undefined)[] = [];
  const storage = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end(image.blobs.get(`sha256:${request.url?.slice(1)}`));
  });
  await new Promise<void>(resolve => storage.listen(0, '127.0.0.1', resolve));
  const { port } = storage.address() as { port: number };
  const registry = await startFaultyRegistry(image, (request, response) => {
    if (!request.headers.authorization) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else if (!request.url?.includes('/blobs/')) return false;
    else response.writeHead(307, { location: `http://localhost:${port}/${request.url.split('sha256:')[1]}` }).end();
    return true;
  });
  try {
    const store = openStore(join(folder, 'redirect'));
    const findCredentials = async () => ({ username: 'alice', password: 'wonder' });
    await pullImage('tool', { store, mirrors: { 'docker.io': registry.url }, findCredentials });
    assert.deepEqual(seen, [undefined, undefined, undefined]);
  } finally {
    await registry.stop();
    storage.close();
  }
});

test('cancelling ends it at once', async () => {
  const controller = new AbortController();
  const { error } = await pull(
    (request, response) => {
      if (!isBlob(request.url, bottom)) return false;
      response.write('x');
      controller.abort(new Error('enough'));
      return true;
    },
    undefined,
    controller.signal,
  );
  assert.equal((error as Error).message, 'enough');
});

test('a layer that was damaged on the disk is brought anew', async () => {
  const registry = await startFaultyRegistry(image);
  try {
    const store = openStore(join(folder, 'damaged'));
    const options = { store, mirrors: { 'docker.io': registry.url }, retryDelay: 1 };
    writeFileSync(store.blobPath(bottom), random.subarray(0, 1000));
    await assert.rejects(pullImage('tool', options), { code: 'image/invalid-layer' });
    const made = await pullImage('tool', options);
    assert.equal(digestOf(readFileSync(join(made.rootfs, 'a'))), digestOf(random));
  } finally {
    await registry.stop();
  }
});
