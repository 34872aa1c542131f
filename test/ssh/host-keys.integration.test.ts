// Whether a server is the one that it says it is, against OpenSSH's own server.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { noPrompts } from '#ssh/prompts.ts';
import { connect, start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { run } from '../support/machine.ts';
import { recordPrompts } from '../support/prompts.ts';
import { noSshd } from '../support/sshd.ts';

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
