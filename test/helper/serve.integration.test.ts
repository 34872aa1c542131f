// `serve` over real pipes, as an unprivileged user: what it lets in, and what it refuses.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ResponseError } from 'vscode-jsonrpc/node';
import * as protocol from '#protocol/messages.ts';
import { type InstalledHelper, installHelper, type Served } from '../support/helper.ts';
import { findUser, isRoot } from '../support/machine.ts';

const digestOf = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
const base64Of = (text: string) => Buffer.from(text).toString('base64');

let helper: InstalledHelper;
let served: Served;

before(async () => {
  helper = await installHelper(findUser());
  served = helper.serve();
});
after(async () => {
  await served?.close();
  helper?.remove();
});

function own(path: string): void {
  if (isRoot) chownSync(path, helper.user.uid, helper.user.gid);
}

async function failsWith(code: string, promise: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(promise, (error: ResponseError<protocol.FailureData>) => {
    assert.ok(error instanceof ResponseError, String(error));
    assert.equal(error.data?.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

test('hello tells who answers', async () => {
  const hello = await served.connection.sendRequest(protocol.hello);
  assert.equal(hello.protocol, protocol.protocolVersion);
  assert.equal(hello.user, helper.user.name);
  assert.equal(hello.home, helper.home);
  assert.equal(hello.pid, served.child.pid);
});

describe('sources', () => {
  test('are put, found again and never changed', async () => {
    const { connection } = served;
    const digest = digestOf('one');
    assert.deepEqual(await connection.sendRequest(protocol.findMissingSources, { digests: [digest, digest] }), {
      missing: [digest],
    });
    await connection.sendRequest(protocol.putSource, { digest, base64: base64Of('one') });
    await connection.sendRequest(protocol.putSource, { digest, base64: base64Of('one') });
    assert.deepEqual(await connection.sendRequest(protocol.findMissingSources, { digests: [digest] }), { missing: [] });
    assert.equal(readFileSync(join(helper.home, 'sources', digest), 'utf8'), 'one');
    assert.equal(statSync(join(helper.home, 'sources', digest)).mode & 0o777, 0o400);
  });

  test('of another digest are refused and leave nothing', async () => {
    const before = readdirSync(join(helper.home, 'sources'));
    await failsWith(
      'source/digest',
      served.connection.sendRequest(protocol.putSource, { digest: digestOf('a'), base64: base64Of('b') }),
    );
    assert.deepEqual(readdirSync(join(helper.home, 'sources')), before);
  });

  test('too large for a message are refused', async () => {
    const base64 = 'A'.repeat(12 * 1_048_576);
    await failsWith(
      'source/too-large',
      served.connection.sendRequest(protocol.putSource, { digest: digestOf('a'), base64 }),
    );
  });

  test('that came by sftp are verified and published, or removed', async () => {
    const content = Buffer.alloc(3 * 1_048_576, 'x');
    const digest = digestOf(content);
    const part = join(helper.home, 'sources', `${digest}.abc.part`);
    writeFileSync(part, content);
    own(part);
    await served.connection.sendRequest(protocol.verifySource, { digest, part: `${digest}.abc.part` });
    assert.equal(digestOf(readFileSync(join(helper.home, 'sources', digest))), digest);
    // Published already, by another editor: that is fine too.
    await served.connection.sendRequest(protocol.verifySource, { digest });

    const other = digestOf('other');
    const wrong = join(helper.home, 'sources', `${other}.part`);
    writeFileSync(wrong, 'damaged');
    own(wrong);
    await failsWith('source/digest', served.connection.sendRequest(protocol.verifySource, { digest: other }));
    assert.ok(!readdirSync(join(helper.home, 'sources')).some(name => name.startsWith(other)));
    await failsWith('source/missing', served.connection.sendRequest(protocol.verifySource, { digest: other }));
  });

  test('can not be named out of the store', async () => {
    const { connection } = served;
    await failsWith(
      'helper/bad-request',
      connection.sendRequest(protocol.putSource, { digest: '../../x', base64: '' }),
    );
    await failsWith(
      'helper/bad-request',
      connection.sendRequest(protocol.findMissingSources, { digests: ['/etc/passwd'] }),
    );
    const digest = digestOf('x');
    for (const part of ['../x.part', `${digest}/../x.part`, `${digest}`, `${digest}.a/b.part`]) {
      await failsWith('helper/bad-request', connection.sendRequest(protocol.verifySource, { digest, part }));
    }
  });
});

describe('a hostile near end', () => {
  test('gets an answer to requests of wrong types', async () => {
    const { connection } = served;
    const wrong: [string, unknown][] = [
      ['run/show', { id: 5 }],
      ['run/show', { id: '../../etc' }],
      ['run/show', [1, 2]],
      ['run/start', { sources: 'x' }],
      ['run/start', { sources: [], tool: 'a', inputs: 5, label: '' }],
      ['log/read', { run: 'x', stream: '../../x', offset: 0 }],
      ['log/watch', { run: 'x', stream: 'log', offset: -5 }],
      ['file/read', { path: '/etc/passwd', offset: 'a', length: 1 }],
      ['file/stat', {}],
      ['locks/check', { paths: [null] }],
      ['locks/check', { paths: ['relative'] }],
      ['source/put', { digest: {}, base64: [] }],
    ];
    for (const [method, parameters] of wrong) {
      await assert.rejects(connection.sendRequest(method, parameters), (error: ResponseError<protocol.FailureData>) => {
        assert.match(error.data?.code ?? '', /^(helper\/bad-request|run\/unknown)$/, `${method}: ${error.message}`);
        return true;
      });
    }
    assert.equal((await connection.sendRequest(protocol.hello)).protocol, protocol.protocolVersion);
  });

  test('reads no file that belongs to no run', async () => {
    const { connection } = served;
    const run = join(helper.home, 'runs', '20260101-000000-00000000aa');
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, 'seen'), 'seen');
    symlinkSync('/etc/passwd', join(run, 'link'));
    symlinkSync('/etc', join(run, 'folder'));
    for (const path of [
      '/etc/passwd',
      '/etc',
      'etc',
      '/',
      join(run, 'link'),
      join(run, 'folder'),
      join(run, 'folder', 'passwd'),
      `${run}/../../../../../../etc/passwd`,
      helper.home,
      join(helper.home, 'sources'),
      '/nonexistent/file',
      '/proc/self/environ',
    ]) {
      await failsWith('file/not-allowed', connection.sendRequest(protocol.statFile, { path }));
      await failsWith('file/not-allowed', connection.sendRequest(protocol.listFiles, { path }));
      await failsWith('file/not-allowed', connection.sendRequest(protocol.readFile, { path, offset: 0, length: 10 }));
    }
    const seen = await connection.sendRequest(protocol.readFile, { path: join(run, 'seen'), offset: 1, length: 2 });
    assert.deepEqual(seen, { base64: base64Of('ee'), size: 4 });
    await failsWith('file/not-found', connection.sendRequest(protocol.statFile, { path: join(run, 'missing') }));
    await failsWith(
      'file/no-file',
      connection.sendRequest(protocol.readFile, { path: join(run), offset: 0, length: 10 }),
    );
  });

  test('can lay no source outside the folder of a run', async () => {
    const { connection } = served;
    const digest = digestOf('one');
    const before = readdirSync(join(helper.home, 'runs'));
    for (const path of ['../escaped', '/tmp/escaped', 'a/../../escaped']) {
      const request = { sources: [{ path, digest }], tool: 'a.cwl', inputs: {}, label: 'x' };
      await failsWith('helper/bad-request', connection.sendRequest(protocol.startRun, request));
    }
    const request = {
      sources: [{ path: 'a.cwl', digest: digestOf('unknown') }],
      tool: 'a.cwl',
      inputs: {},
      label: 'x',
    };
    await failsWith('source/missing', connection.sendRequest(protocol.startRun, request));
    assert.deepEqual(readdirSync(join(helper.home, 'runs')), before);
  });

  test('that writes no JSON-RPC ends nothing but its own connection', async () => {
    const other = helper.serve();
    other.child.stdin?.write('GET / HTTP/1.1\r\n\r\n');
    other.child.stdin?.write('Content-Length: 5\r\n\r\nabcde');
    await other.close();
    assert.equal((await served.connection.sendRequest(protocol.hello)).user, helper.user.name);
  });
});

test('serve says where it can not write, and ends', async () => {
  const closed = join(helper.folder, 'closed');
  mkdirSync(closed);
  own(closed);
  chmodSync(closed, 0o500);
  const { code, stdout, stderr } = await helper.run(['serve'], { env: { CWL_ON_CLUSTERS_HOME: join(closed, 'home') } });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /can't be made/);
  assert.match(stderr, /CWL_ON_CLUSTERS_HOME/);
});
