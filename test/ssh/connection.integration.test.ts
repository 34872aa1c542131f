// What a connection does once it is there, and how it fails to be, against OpenSSH's own server.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import type { Connection } from '#ssh/connection.ts';
import { openFiles } from '#ssh/files.ts';
import type { HostSettings } from '#ssh/host-settings.ts';
import { type ConnectionOptions, openConnection } from '#ssh/open-connection.ts';
import { noPrompts, type Prompts } from '#ssh/prompts.ts';
import { run } from '../support/machine.ts';
import { recordPrompts } from '../support/prompts.ts';
import { findFreePort, noSshd, type Sshd, type SshdOptions, startSshd } from '../support/sshd.ts';

suite('host keys', { skip: noSshd ?? false, timeout: 120_000 }, () => {
  test('an unknown key is asked about with the fingerprint of ssh-keygen, and then remembered', async context => {
    const sshd = await start(context);
    const known = join(sshd.folder, 'client', 'new', 'known_hosts');
    const options = { UserKnownHostsFile: known, StrictHostKeyChecking: 'ask' };
    const prompts = recordPrompts(undefined, true);
    await connect(context, sshd, options, prompts);
    assert.deepEqual(prompts.hostKeys, [
      {
        host: `[127.0.0.1]:${sshd.port}`,
        keyType: 'ssh-ed25519',
        fingerprint: sshd.fingerprint,
        file: known,
        notes: [],
      },
    ]);
    await connect(context, sshd, options, noPrompts);
    assert.equal(run('ssh-keygen', ['-F', `[127.0.0.1]:${sshd.port}`, '-f', known]).includes('found'), true);
  });

  test('a key that the person does not accept is not remembered, and no key of ours is shown', async context => {
    const sshd = await start(context);
    const known = join(sshd.folder, 'known');
    const options = { UserKnownHostsFile: known, StrictHostKeyChecking: 'ask' };
    await assert.rejects(connect(context, sshd, options, recordPrompts()), hasCode('ssh/host-key-rejected'));
    assert.ok(!existsSync(known));
    assert.doesNotMatch(sshd.log(), /Accepted key/);
  });

  test('accept-new remembers by itself, hashed if so configured; yes refuses', async context => {
    const sshd = await start(context);
    const known = join(sshd.folder, 'known');
    writeFileSync(known, '# no line end');
    const strict = { UserKnownHostsFile: known, StrictHostKeyChecking: 'yes' };
    await assert.rejects(connect(context, sshd, strict), hasCode('ssh/host-key-unknown'));
    await connect(context, sshd, { ...strict, StrictHostKeyChecking: 'accept-new', HashKnownHosts: 'yes' });
    assert.match(readFileSync(known, 'utf8'), /^# no line end\n\|1\|[^\n]+\n$/);
    await connect(context, sshd, strict);
  });

  test('a changed key is refused with both fingerprints and the place of the old one', async context => {
    const sshd = await start(context);
    const other = await start(context);
    const line = readFileSync(other.knownHosts, 'utf8').replaceAll(`:${other.port} `, `:${sshd.port} `);
    writeFileSync(sshd.knownHosts, `# first line\n${line}`);
    for (const strictness of ['yes', 'ask', 'accept-new']) {
      const prompts = recordPrompts(undefined, true);
      await assert.rejects(connect(context, sshd, { StrictHostKeyChecking: strictness }, prompts), error => {
        assert.ok(isFailure(error, 'ssh/host-key-changed'), String(error));
        for (const part of [sshd.fingerprint, other.fingerprint, `${sshd.knownHosts}:2`]) {
          assert.ok(error.message.includes(part), error.message);
        }
        return true;
      });
      assert.equal(prompts.hostKeys.length, 0);
    }
    assert.doesNotMatch(sshd.log(), /Accepted/);
  });

  test('with StrictHostKeyChecking no a changed key is let through, but gets no password', async context => {
    const sshd = await start(context, { authenticationMethods: 'password' });
    const other = await start(context);
    writeFileSync(
      sshd.knownHosts,
      readFileSync(other.knownHosts, 'utf8').replaceAll(`:${other.port} `, `:${sshd.port} `),
    );
    const prompts = recordPrompts(() => [sshd.password]);
    await assert.rejects(
      connect(context, sshd, { StrictHostKeyChecking: 'no' }, prompts),
      hasCode('ssh/authentication'),
    );
    assert.equal(prompts.questions.length, 0);
  });

  test('a revoked key is refused whatever is configured', async context => {
    const sshd = await start(context);
    const key = readFileSync(sshd.hostKeys[0] as string, 'utf8');
    appendFileSync(sshd.knownHosts, `@revoked * ${key}`);
    await assert.rejects(connect(context, sshd, { StrictHostKeyChecking: 'no' }), hasCode('ssh/host-key-revoked'));
  });

  test('the type that is known is asked for first', async context => {
    const sshd = await start(context);
    const rsa = readFileSync(sshd.knownHosts, 'utf8').replace(/^.*ssh-ed25519.*\n/, '');
    writeFileSync(sshd.knownHosts, rsa);
    await connect(context, sshd);
  });

  test('HostKeyAlias names the entry', async context => {
    const sshd = await start(context);
    writeFileSync(sshd.knownHosts, readFileSync(sshd.knownHosts, 'utf8').replace(/\S+/, 'the-cluster'));
    await assert.rejects(connect(context, sshd, { HostKeyAlgorithms: 'ssh-ed25519' }), hasCode('ssh/host-key-unknown'));
    await connect(context, sshd, { HostKeyAlias: 'the-cluster', HostKeyAlgorithms: 'ssh-ed25519' });
  });
});

suite('hops', { skip: noSshd ?? false, timeout: 120_000 }, () => {
  test('a jump host is checked by its own key, with its own user and identity, and resolves the name', async context => {
    const login = await start(context, { shell: 'tcsh' });
    const gate = await start(context, { hosts: { 'login.cluster.test': '127.0.0.1' } });
    const config = await chain(gate, login);
    const connection = await connect(context, { ...login, config });
    assert.equal((await connection.exec(['id', '-un'])).stdout.trim(), login.user.name);
    assert.match(gate.log(), new RegExp(`Accepted publickey for ${gate.user.name}`));
    assert.ok(connection.traffic().sent > 0);
    connection.close();
    assert.equal(await connection.closed, undefined);
  });

  test('a changed key of the hop ends it before the host is asked for', async context => {
    const login = await start(context);
    const gate = await start(context);
    const config = await chain(gate, login);
    writeFileSync(gate.knownHosts, readFileSync(login.knownHosts, 'utf8').replaceAll(`${login.port}`, `${gate.port}`));
    await assert.rejects(connect(context, { ...login, config }), hasCode('ssh/host-key-changed'));
    assert.doesNotMatch(login.log(), /Connection from/);
  });

  test('a name that the gateway does not know, a port that nobody serves, a gateway that lets nobody through', async context => {
    const login = await start(context);
    const gate = await start(context);
    const config = await chain(gate, login);
    await assert.rejects(connect(context, { ...login, config }), error => {
      assert.ok(isFailure(error));
      // sshd tells the client only that it could not connect.
      assert.match(error.code, /^ssh\/(unknown-host|unreachable|refused)$/);
      assert.match(error.message, /login\.cluster\.test/);
      return true;
    });
    const closed = await start(context, { refuseForwarding: true });
    await assert.rejects(connect(context, { ...login, config: await chain(closed, login) }), error => {
      assert.ok(isFailure(error, 'ssh/forwarding-forbidden'), String(error));
      return true;
    });
  });

  test('a host that does not answer the gateway is not waited for', async context => {
    const login = await start(context);
    const silent = await listen(context, createServer());
    const gate = await start(context, { hosts: { 'login.cluster.test': '127.0.0.1' } });
    const config = await chain(gate, login);
    writeFileSync(config, readFileSync(config, 'utf8').replace(`Port ${login.port}`, `Port ${silent}`));
    const options = { ConnectTimeout: '1' };
    await assert.rejects(connect(context, { config }, options), hasCode('ssh/timeout'));
  });

  test('a chain of two hops', async context => {
    const login = await start(context);
    const inner = await start(context);
    const outer = await start(context);
    const config = join(login.folder, 'client', 'chain');
    const texts = [
      readFileSync(outer.config, 'utf8').replace('Host cluster', 'Host outer'),
      readFileSync(inner.config, 'utf8').replace('Host cluster', 'Host inner'),
      readFileSync(login.config, 'utf8').replace('Host cluster', 'Host cluster\n  ProxyJump outer,inner'),
    ];
    writeFileSync(config, texts.join('\n'));
    const connection = await connect(context, { ...login, config });
    const { stdout } = await connection.exec('echo $SSH_CONNECTION');
    assert.ok(stdout.trim().endsWith(` ${login.port}`));
    for (const hop of [outer, inner]) assert.match(hop.log(), /Accepted publickey/);
  });

  test('a ProxyJump that leads in a circle is told', async context => {
    const sshd = await start(context);
    await assert.rejects(
      connect(
        context,
        sshd,
        { ProxyJump: 'cluster2' },
        noPrompts,
        { host: 'cluster' },
        'Host cluster2\n ProxyJump cluster2\n',
      ),
      hasCode('ssh/config'),
    );
  });

  test('a ProxyCommand', async context => {
    const sshd = await start(context);
    const script =
      "require('net').connect(process.argv[2],process.argv[1]).on('connect',function(){process.stdin.pipe(this).pipe(process.stdout)})";
    writeFileSync(join(sshd.folder, 'proxy.cjs'), script);
    const command = `"${process.execPath}" -e "require('${sshd.folder}/proxy.cjs')" %h %p`;
    const connection = await connect(context, sshd, { ProxyCommand: command });
    assert.equal((await connection.exec(['echo', 'through'])).stdout, 'through\n');
  });
});

suite('channels', { skip: noSshd ?? false, timeout: 120_000 }, () => {
  for (const shell of [undefined, 'tcsh', 'fish', 'noisy-bash'] as const) {
    test(`answers are clean under ${shell ?? 'bash'}`, async context => {
      const sshd = await start(context, { shell });
      const connection = await connect(context, sshd);
      const awkward = `it's "$HOME" \\ ! \n é`;
      const answer = await connection.exec(['sh', '-c', 'printf %s "$1"; echo bad >&2; exit 3', 'sh', awkward]);
      assert.deepEqual(answer, { stdout: awkward, stderr: 'bad\n', exit: { code: 3, signal: null } });
      const bytes = randomBytes(300_000).toString('hex');
      assert.equal((await connection.exec('cat', { stdin: bytes })).stdout, bytes);
      assert.deepEqual((await connection.exec('kill -9 $$')).exit, { code: null, signal: 'SIGKILL' });
    });
  }

  test('an account that may not log in tells what it said', async context => {
    const sshd = await start(context, { extra: ['ForceCommand echo This account is closed.'] });
    const connection = await connect(context, sshd);
    await assert.rejects(connection.exec(['true']), error => {
      assert.ok(isFailure(error, 'ssh/no-shell'), String(error));
      assert.match(error.hint ?? '', /This account is closed/);
      return true;
    });
  });

  test('one session at a time is enough for many commands, and one too many is told', async context => {
    const sshd = await start(context, { maxSessions: 1 });
    const connection = await connect(context, sshd);
    const answers = await Promise.all([1, 2, 3, 4].map(number => connection.exec(['echo', String(number)])));
    assert.deepEqual(
      answers.map(answer => answer.stdout.trim()),
      ['1', '2', '3', '4'],
    );
    const child = await connection.openProcess('cat');
    await assert.rejects(connection.exec(['true']), hasCode('ssh/too-many-channels'));
    child.close();
    assert.equal((await connection.exec(['echo', 'again'])).stdout, 'again\n');
  });

  test('a terminal has its size, follows a change of it, and ends with the exit code', async context => {
    const sshd = await start(context, { shell: 'fish' });
    const connection = await connect(context, sshd);
    const terminal = await connection.openTerminal('stty size; read line; stty size; echo "$TERM $line"; exit 5', {
      columns: 90,
      rows: 30,
    });
    let text = '';
    for await (const chunk of terminal.stream) {
      text += chunk;
      if (text.includes('30 90') && !text.includes('31 91') && !text.includes('go')) {
        terminal.resize(91, 31);
        terminal.stream.write('go\n');
      }
    }
    assert.match(text, /30 90[\s\S]*31 91[\s\S]*xterm-256color go/);
    assert.deepEqual(await terminal.exit, { code: 5, signal: null });
  });

  test('a banner reaches its listener', async context => {
    const sshd = await start(context, { banner: 'Authorised use only.\n' });
    let banner = '';
    await connect(context, sshd, {}, noPrompts, {}, '', { onBanner: text => (banner += text) });
    assert.equal(banner.trim(), 'Authorised use only.');
  });

  test('a lost connection ends what was under way, and says so', async context => {
    const sshd = await start(context);
    const connection = await connect(context, sshd);
    const waiting = connection.exec(['sleep', '60']);
    const rejected = assert.rejects(waiting, hasCode('ssh/lost'));
    await connection.exec(['true']);
    await sshd.dropConnections();
    await rejected;
    assert.ok(isFailure(await connection.closed, 'ssh/lost'));
    await assert.rejects(connection.exec(['true']), hasCode('ssh/lost'));
  });

  test('an aborted command is closed', async context => {
    const sshd = await start(context);
    const connection = await connect(context, sshd);
    const controller = new AbortController();
    const waiting = connection.exec(['sleep', '61'], { signal: controller.signal });
    const isRunning = async () => (await connection.exec('pgrep -u "$(id -u)" -f "^sleep 61"')).stdout !== '';
    while (!(await isRunning())) await new Promise(resolve => setTimeout(resolve, 100));
    controller.abort(new Error('enough'));
    const started = Date.now();
    await assert.rejects(waiting, /enough/);
    assert.ok(Date.now() - started < 10_000);
    assert.equal((await connection.exec(['echo', 'alive'])).stdout, 'alive\n');
    for (let tries = 0; tries < 20 && (await isRunning()); tries++)
      await new Promise(resolve => setTimeout(resolve, 100));
    assert.ok(!(await isRunning()));
  });
});

suite('files', { skip: noSshd ?? false, timeout: 120_000 }, () => {
  for (const sftp of [true, false]) {
    test(`are written, taken up again and read ${sftp ? 'by sftp' : 'through the shell'}`, async context => {
      const sshd = await start(context, { sftp, shell: 'tcsh' });
      const connection = await connect(context, sshd);
      const files = await openFiles(connection);
      assert.equal(files.way, sftp ? 'sftp' : 'shell');
      const folder = `${sshd.user.home}/a folder/with 'quotes'`;
      context.after(() => rmSync(`${sshd.user.home}/a folder`, { recursive: true, force: true }));
      const path = `${folder}/file`;
      const bytes = randomBytes(3_000_000);
      await files.makeFolder(folder);
      assert.equal(await files.findSize(path), undefined);
      await files.append(path, 0, pieces(bytes.subarray(0, 2_000_000)));
      // The last part of what is there is not trusted, and is written again.
      await files.append(path, 1_500_000, pieces(bytes.subarray(1_500_000)));
      assert.equal(await files.findSize(path), bytes.length);
      assert.ok(readFileSync(path).equals(bytes));
      assert.ok((await collect(files.read(path, 0))).equals(bytes));
      assert.ok((await collect(files.read(path, 2_999_000))).equals(bytes.subarray(2_999_000)));
      await assert.rejects(collect(files.read(`${path}x`, 0)), hasCode('ssh/no-such-file'));
      await files.remove(path);
      await files.remove(path);
      assert.ok(!existsSync(path));
      files.close();
    });
  }

  for (const sftp of [true, false]) {
    test(`a transfer that breaks is told ${sftp ? 'by sftp' : 'through the shell'}`, async context => {
      const sshd = await start(context, { sftp });
      const connection = await connect(context, sshd);
      const files = await openFiles(connection);
      const path = `${sshd.user.home}/broken-${sshd.port}`;
      context.after(() => rmSync(path, { force: true }));
      async function* content(): AsyncIterable<Buffer> {
        for (let i = 0; i < 1000; i++) {
          if (i === 50) await sshd.dropConnections();
          yield randomBytes(100_000);
        }
      }
      await assert.rejects(files.append(path, 0, content()), hasCode('ssh/lost'));
    });
  }
});

suite('ways not to get in', { skip: noSshd ?? false, timeout: 120_000 }, () => {
  test('no such host', async () => {
    await assert.rejects(plain('no-such-host.invalid'), hasCode('ssh/unknown-host'));
  });

  test('a port that nobody serves', async () => {
    await assert.rejects(plain(`127.0.0.1:${await findFreePort()}`), hasCode('ssh/refused'));
  });

  test('a server that never says a word', async context => {
    const port = await listen(context, createServer());
    const started = Date.now();
    await assert.rejects(plain(`127.0.0.1:${port}`, { ConnectTimeout: '1' }), hasCode('ssh/timeout'));
    assert.ok(Date.now() - started < 4000);
  });

  test('a server that hangs up, and one that speaks something else', async context => {
    const silent = createServer(socket => socket.destroy());
    await assert.rejects(plain(`127.0.0.1:${await listen(context, silent)}`), hasCode('ssh/lost'));
    const web = createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await assert.rejects(plain(`127.0.0.1:${await listen(context, web)}`), hasCode('ssh/lost'));
  });

  test('a person who changes their mind', async context => {
    const port = await listen(context, createServer());
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('changed my mind')), 100);
    await assert.rejects(plain(`127.0.0.1:${port}`, {}, { signal: controller.signal }), /changed my mind/);
  });
});

async function start(context: TestContext, options: SshdOptions = {}): Promise<Sshd> {
  const sshd = await startSshd(options);
  context.after(() => sshd.stop());
  return sshd;
}

async function connect(
  context: TestContext,
  sshd: Pick<Sshd, 'config'>,
  options: HostSettings['options'] = {},
  prompts: Prompts = noPrompts,
  settings: Partial<HostSettings> = {},
  moreConfig = '',
  connectionOptions: ConnectionOptions = {},
): Promise<Connection> {
  if (moreConfig) appendFileSync(sshd.config, moreConfig);
  const all = { host: 'cluster', configFile: sshd.config, options, ...settings };
  const connection = await openConnection(all, prompts, connectionOptions);
  context.after(() => connection.close());
  return connection;
}

function plain(host: string, options: HostSettings['options'] = {}, more: ConnectionOptions = {}): Promise<Connection> {
  return openConnection({ host, configFile: 'none', options: { ...options, IdentityAgent: 'none' } }, noPrompts, more);
}

/** A config in which `cluster` is a name that only the gateway may know, behind the gateway. */
async function chain(gate: Sshd, login: Sshd): Promise<string> {
  const config = join(login.folder, 'client', `through-${gate.port}`);
  const known = readFileSync(login.knownHosts, 'utf8').replaceAll('[127.0.0.1]', '[login.cluster.test]');
  writeFileSync(`${config}-known`, known);
  const inner = readFileSync(login.config, 'utf8')
    .replace('HostName 127.0.0.1', 'HostName login.cluster.test\n  ProxyJump gate')
    .replace(login.knownHosts, `${config}-known`);
  writeFileSync(config, `${inner}\n${readFileSync(gate.config, 'utf8').replace('Host cluster', 'Host gate')}`);
  return config;
}

async function listen(context: TestContext, server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', socket => sockets.add(socket.on('error', () => {})));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

async function* pieces(bytes: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 70_000) yield bytes.subarray(at, at + 70_000);
}

async function collect(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function hasCode(code: string): (error: unknown) => boolean {
  return error => {
    assert.ok(isFailure(error, code), String(error));
    return true;
  };
}
