// Every way to log in, against OpenSSH's own server.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '#base/failure.ts';
import type { Log } from '#base/log.ts';
import type { HostSettings } from '#ssh/host-settings.ts';
import { openConnection } from '#ssh/open-connection.ts';
import { noPrompts, type Prompts } from '#ssh/prompts.ts';
import { start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { run } from '../support/machine.ts';
import { recordPrompts } from '../support/prompts.ts';
import { noSshd, type Sshd } from '../support/sshd.ts';

suite('authentication', { skip: noSshd ?? false, timeout: 120_000 }, () => {
  test('a key file that the configuration names', async context => {
    const sshd = await start(context);
    assert.deepEqual(await logIn(sshd, noPrompts), { user: sshd.user.name, wasAsked: false });
  });

  test('an encrypted key asks for its passphrase, again if it was wrong', async context => {
    const sshd = await start(context, { encryptedKey: true });
    const prompts = recordPrompts((_, count) => [count === 1 ? 'wrong' : sshd.passphrase]);
    assert.deepEqual(await logIn(sshd, prompts), { user: sshd.user.name, wasAsked: true });
    assert.deepEqual(
      prompts.questions.map(({ kind, title, attempt }) => ({ kind, title, attempt })),
      [1, 2].map(attempt => ({ kind: 'passphrase', title: sshd.identity, attempt })),
    );
    assert.equal(prompts.questions[0]?.fields[0]?.echo, false);
  });

  test('a passphrase is asked only for a key that the server would take', async context => {
    const sshd = await start(context, { encryptedKey: true });
    const other = join(sshd.folder, 'client', 'other');
    run('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', 'secret', '-f', other]);
    const prompts = recordPrompts(() => [sshd.passphrase]);
    await logIn(sshd, prompts, { IdentityFile: other });
    assert.deepEqual(
      prompts.questions.map(question => question.title),
      [sshd.identity],
    );
  });

  test('an old PEM key with a passphrase, and without a .pub beside it', async context => {
    const sshd = await start(context);
    const pem = join(sshd.folder, 'client', 'pem');
    run('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'phrase', '-f', pem]);
    run('sh', ['-c', 'cat "$1.pub" >> "$2" && rm "$1.pub"', 'sh', pem, join(sshd.folder, 'authorized_keys')]);
    writeFileSync(sshd.config, readFileSync(sshd.config, 'utf8').replace(sshd.identity, pem));
    await logIn(
      sshd,
      recordPrompts(() => ['phrase']),
    );
  });

  test('ecdsa and rsa keys sign as the server wants it', async context => {
    const sshd = await start(context);
    for (const type of ['ecdsa', 'rsa']) {
      const file = join(sshd.folder, 'client', type);
      run('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
      appendFileSync(join(sshd.folder, 'authorized_keys'), readFileSync(`${file}.pub`));
      writeFileSync(sshd.config, readFileSync(sshd.config, 'utf8').replace(/IdentityFile .*/, `IdentityFile ${file}`));
      await logIn(sshd, noPrompts);
    }
  });

  test('an agent, with the key that IdentityFile names before the others', async context => {
    const sshd = await start(context, { encryptedKey: true, maxAuthTries: 2 });
    const agent = await startAgent(context, sshd);
    // Seven other keys: offered first they would use up the server's patience.
    for (let i = 0; i < 7; i++) agent.add(makeKey(sshd, `other${i}`), '');
    agent.add(sshd.identity, sshd.passphrase);
    const lines: string[] = [];
    await logIn(sshd, noPrompts, { IdentityAgent: agent.socket, IdentitiesOnly: 'no' }, lines);
    const offered = lines.filter(line => line.startsWith('offering'));
    assert.equal(offered.length, 1, offered.join('\n'));
  });

  test('an agent key is found without any IdentityFile', async context => {
    const sshd = await start(context, { encryptedKey: true });
    const agent = await startAgent(context, sshd);
    agent.add(sshd.identity, sshd.passphrase);
    writeFileSync(sshd.config, readFileSync(sshd.config, 'utf8').replace(/ {2}Identit.*\n/g, ''));
    await logIn(sshd, noPrompts, { IdentityAgent: agent.socket, IdentityFile: 'none' });
  });

  test('IdentitiesOnly keeps other agent keys out', async context => {
    const sshd = await start(context);
    const agent = await startAgent(context, sshd);
    agent.add(sshd.identity, '');
    const other = makeKey(sshd, 'other');
    writeFileSync(sshd.config, readFileSync(sshd.config, 'utf8').replace(sshd.identity, other));
    await assert.rejects(logIn(sshd, noPrompts, { IdentityAgent: agent.socket }), hasCode('ssh/authentication'));
  });

  test('an agent that is gone is passed over', async context => {
    const sshd = await start(context);
    await logIn(sshd, noPrompts, { IdentityAgent: join(sshd.folder, 'no-agent') });
  });

  test('a password', async context => {
    const sshd = await start(context, { authenticationMethods: 'password' });
    const prompts = recordPrompts(() => [sshd.password]);
    assert.deepEqual(await logIn(sshd, prompts), { user: sshd.user.name, wasAsked: true });
    assert.deepEqual(
      prompts.questions.map(question => question.kind),
      ['password'],
    );
  });

  test('a wrong password is asked for three times and ends in one message without it', async context => {
    const sshd = await start(context, { authenticationMethods: 'password' });
    const prompts = recordPrompts(() => ['not-the-password']);
    const lines: string[] = [];
    await assert.rejects(logIn(sshd, prompts, {}, lines), error => {
      assert.ok(isFailure(error, 'ssh/authentication'));
      assert.match(error.message, /does not let cwl-test in: it refused the password/);
      assert.ok(error.hint);
      assert.ok(!JSON.stringify([error.message, error.hint, lines]).includes('not-the-password'));
      return true;
    });
    assert.deepEqual(
      prompts.questions.map(question => question.attempt),
      [1, 2, 3],
    );
  });

  test('giving up at the password ends the connection', async context => {
    const sshd = await start(context, { authenticationMethods: 'password' });
    const prompts = recordPrompts(() => undefined);
    await assert.rejects(logIn(sshd, prompts), hasCode('ssh/cancelled'));
    assert.equal(prompts.questions.length, 1);
  });

  test('keyboard-interactive shows what the server asks', async context => {
    const sshd = await start(context, { authenticationMethods: 'keyboard-interactive' });
    const prompts = recordPrompts(() => [sshd.password]);
    await logIn(sshd, prompts);
    assert.deepEqual(
      prompts.questions.map(({ kind, fields }) => ({ kind, fields })),
      [{ kind: 'keyboard-interactive', fields: [{ text: 'Password: ', echo: false }] }],
    );
  });

  test('giving up in the middle of keyboard-interactive ends the connection', async context => {
    const sshd = await start(context, { authenticationMethods: 'keyboard-interactive' });
    await assert.rejects(logIn(sshd, recordPrompts()), hasCode('ssh/cancelled'));
  });

  test('a key, then a password and a one-time code in two rounds', async context => {
    const sshd = await start(context, {
      authenticationMethods: 'publickey,keyboard-interactive',
      oneTimeCode: true,
    });
    const prompts = recordPrompts(({ fields }) => [
      /verification/i.test(fields[0]?.text ?? '') ? sshd.oneTimeCode() : sshd.password,
    ]);
    assert.deepEqual(await logIn(sshd, prompts), { user: sshd.user.name, wasAsked: true });
    assert.deepEqual(
      prompts.questions.map(question => question.fields[0]?.text),
      ['Password: ', 'Verification code: '],
    );
  });

  test('without prompts a second factor is not even begun', async context => {
    const sshd = await start(context, { authenticationMethods: 'publickey,keyboard-interactive' });
    await assert.rejects(logIn(sshd, noPrompts, { BatchMode: 'yes' }), hasCode('ssh/authentication'));
    assert.doesNotMatch(sshd.log(), /keyboard-interactive\/pam/);
  });

  test('a key that the server does not know is refused with a hint', async context => {
    const sshd = await start(context);
    const other = makeKey(sshd, 'other');
    writeFileSync(sshd.config, readFileSync(sshd.config, 'utf8').replace(sshd.identity, other));
    await assert.rejects(logIn(sshd, noPrompts), error => {
      assert.ok(isFailure(error, 'ssh/authentication'));
      assert.ok(error.message.includes(other), error.message);
      assert.match(error.hint ?? '', /authorized_keys/);
      return true;
    });
  });

  test('a missing key file is told in the log, and too many keys in the hint', async context => {
    const sshd = await start(context, { maxAuthTries: 3 });
    const files = Array.from({ length: 5 }, (_, index) => makeKey(sshd, `key${index}`));
    const config = readFileSync(sshd.config, 'utf8').replace(
      /IdentityFile .*/,
      ['/nowhere', ...files].map(file => `IdentityFile ${file}`).join('\n  '),
    );
    writeFileSync(sshd.config, config);
    const lines: string[] = [];
    await assert.rejects(logIn(sshd, noPrompts, {}, lines), error => {
      assert.ok(isFailure(error, 'ssh/authentication'));
      assert.match(error.hint ?? '', /IdentitiesOnly/);
      return true;
    });
    assert.ok(lines.includes('there is no identity file /nowhere'));
  });

  test('a try is kept for the password where many keys were refused', async context => {
    const sshd = await start(context, { authenticationMethods: 'publickey password' });
    const files = Array.from({ length: 8 }, (_, index) => makeKey(sshd, `key${index}`));
    const config = readFileSync(sshd.config, 'utf8').replace(
      /IdentityFile .*/,
      files.map(file => `IdentityFile ${file}`).join('\n  '),
    );
    writeFileSync(sshd.config, config);
    await logIn(
      sshd,
      recordPrompts(() => [sshd.password]),
    );
  });
});

async function logIn(
  sshd: Sshd,
  prompts: Prompts,
  options: HostSettings['options'] = {},
  lines: string[] = [],
): Promise<{ user: string; wasAsked: boolean }> {
  const add = (line: string) => void lines.push(line);
  const log: Log = { debug: add, info: add, warn: add };
  const connection = await openConnection({ host: 'cluster', configFile: sshd.config, options }, prompts, { log });
  try {
    const { stdout } = await connection.exec(['id', '-un']);
    return { user: stdout.trim(), wasAsked: connection.wasAsked };
  } finally {
    connection.close();
    await connection.closed;
  }
}

function makeKey(sshd: Sshd, name: string): string {
  const file = join(sshd.folder, 'client', name);
  run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  return file;
}

async function startAgent(
  context: TestContext,
  sshd: Sshd,
): Promise<{ socket: string; add(file: string, passphrase: string): void }> {
  const socket = join(sshd.folder, 'agent');
  const agent = spawn('/usr/bin/ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  context.after(() => agent.kill());
  for (let tries = 0; tries < 100 && !existsSync(socket); tries++) await sleep(20);
  const askpass = join(sshd.folder, 'askpass');
  writeFileSync(askpass, '#!/bin/sh\nprintf "%s" "$PHRASE"\n', { mode: 0o700 });
  return {
    socket,
    add(file, passphrase) {
      const env = {
        ...process.env,
        ...{ SSH_AUTH_SOCK: socket, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', PHRASE: passphrase },
      };
      const result = spawnSync('/usr/bin/ssh-add', ['-q', file], { env, encoding: 'utf8' });
      assert.equal(result.status, 0, result.stderr);
    },
  };
}
