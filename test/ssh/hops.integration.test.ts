// Jump hosts and proxy commands, against OpenSSH's own server.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { noPrompts } from '#ssh/prompts.ts';
import { connect, listen, start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { noSshd, type Sshd } from '../support/sshd.ts';

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
