// Files over one connection, against OpenSSH's own server.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { suite, test } from 'node:test';
import { openFiles } from '#ssh/files.ts';
import { connect, start } from '../support/connections.ts';
import { hasCode } from '../support/failures.ts';
import { noSshd } from '../support/sshd.ts';

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

async function* pieces(bytes: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 70_000) yield bytes.subarray(at, at + 70_000);
}

async function collect(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
