// What a connection does once it is there, and how it fails to be, against OpenSSH's own server.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { suite, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import type { Connection } from '#ssh/connection.ts';
import type { HostSettings } from '#ssh/host-settings.ts';
import { type ConnectionOptions, openConnection } from '#ssh/open-connection.ts';
import { noPrompts } from '#ssh/prompts.ts';
import { connect, listen, start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { findFreePort, noSshd } from '../support/sshd.ts';

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

function plain(host: string, options: HostSettings['options'] = {}, more: ConnectionOptions = {}): Promise<Connection> {
  return openConnection({ host, configFile: 'none', options: { ...options, IdentityAgent: 'none' } }, noPrompts, more);
}
