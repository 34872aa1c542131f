// What it costs to get in: log in, install the kit (cold and warm), move a large file; beside OpenSSH's own ssh and scp
// on the same bytes, on loopback and with a round trip of 40 ms.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openCluster } from '#remote/cluster.ts';
import { installKit } from '#remote/install-kit.ts';
import { type LocalKit, loadKits } from '#remote/local-kit.ts';
import { probeHost } from '#remote/probe-host.ts';
import type { Connection } from '#ssh/connection.ts';
import { openFiles } from '#ssh/files.ts';
import { openConnection } from '#ssh/open-connection.ts';
import { noPrompts } from '#ssh/prompts.ts';
import { makeFolder } from '../test/support/machine.ts';
import { noSshd, type Sshd, startSshd } from '../test/support/sshd.ts';

const execute = promisify(execFile);
const runs = 5;
const roundTrip = 40;
const megabytes = 64;

interface Measured {
  seconds: number;
  sent?: number;
  channels?: number;
}

if (noSshd) {
  console.log(`left out: ${noSshd}`);
} else {
  const kits = await loadKits('dist/kit');
  for (const delay of [0, roundTrip]) {
    const sshd = await startSshd();
    const line = delay === 0 ? undefined : await openSlowLine(sshd, delay);
    try {
      console.log(`\n${delay === 0 ? 'loopback' : `round trip of ${delay} ms`} (median of ${runs})`);
      await measureHost(line ? line.config : sshd.config, sshd, kits);
    } finally {
      line?.server.close();
      await sshd.stop();
    }
  }
}

async function measureHost(config: string, sshd: Sshd, kits: readonly LocalKit[]): Promise<void> {
  const target = makeFolder(sshd.user, 'cwl-bench-');
  const local = mkdtempSync(join(tmpdir(), 'cwl-bench-'));
  try {
    const settings = { host: 'cluster', configFile: config };
    const withConnection = async (work: (connection: Connection) => Promise<void>): Promise<Measured> => {
      const started = performance.now();
      const connection = await openConnection(settings, noPrompts);
      await work(connection);
      const { sent, channels } = connection.traffic();
      const seconds = (performance.now() - started) / 1000;
      connection.close();
      await connection.closed;
      return { seconds, sent, channels };
    };
    const ssh = (...args: string[]): Promise<Measured> =>
      timed(() => execute('ssh', ['-F', config, 'cluster', ...args]));
    const scp = (from: string, to: string): Promise<Measured> =>
      timed(() => execute('scp', ['-q', '-F', config, from, to]));

    compare(
      'log in and run true',
      await repeat(() => withConnection(async connection => void (await connection.exec(['true'])))),
      'ssh HOST true',
      await repeat(() => ssh('true')),
    );

    const kit = kits.find(each => each.platform === `linux-${process.arch}`) as LocalKit;
    const bundle = join(local, 'kit.bin');
    writeFileSync(bundle, Buffer.concat(kit.pieces.map(piece => readFileSync(join(kit.folder, piece.source)))));
    const clear = () => rmSync(join(target.path, 'kit'), { recursive: true, force: true });
    compare(
      'install the kit, cold',
      await repeat(() => {
        clear();
        return withConnection(async connection => {
          const report = await probeHost(connection, { folder: target.path, kits });
          await installKit(connection, kits, report);
        });
      }),
      'scp of the same bytes, no unpacking',
      await repeat(() => scp(bundle, `cluster:${target.path}/bundle`)),
    );
    compare(
      'connect, warm, until the helper answers',
      await repeat(async () => {
        const started = performance.now();
        const cluster = await openCluster({ ...settings, folder: target.path }, noPrompts, { kits });
        const { sent, channels } = cluster.connection.traffic();
        cluster.close();
        return { seconds: (performance.now() - started) / 1000, sent, channels };
      }),
      'ssh HOST node --version',
      await repeat(() => ssh(`${target.path}/kit/runtime-*/runtime/node --version`)),
    );

    const file = join(local, 'file');
    writeFileSync(file, randomBytes(megabytes * 1_000_000));
    const content = readFileSync(file);
    const upload = async (connection: Connection) => {
      const files = await openFiles(connection);
      await files.remove(`${target.path}/file`);
      await files.append(`${target.path}/file`, 0, pieces(content));
      files.close();
    };
    const download = async (connection: Connection) => {
      const files = await openFiles(connection);
      let length = 0;
      for await (const chunk of files.read(`${target.path}/file`, 0)) length += chunk.length;
      files.close();
      if (length !== content.length) throw new Error(`${length} bytes arrived`);
    };
    compare(
      `upload ${megabytes} MB`,
      await repeat(() => withConnection(upload)),
      'scp',
      await repeat(() => scp(file, `cluster:${target.path}/file`)),
    );
    compare(
      `download ${megabytes} MB`,
      await repeat(() => withConnection(download)),
      'scp',
      await repeat(() => scp(`cluster:${target.path}/file`, join(local, 'copy'))),
    );
  } finally {
    target.remove();
    rmSync(local, { recursive: true, force: true });
  }
}

async function repeat(work: () => Promise<Measured>): Promise<Measured> {
  const results: Measured[] = [];
  for (let i = 0; i < runs; i++) results.push(await work());
  return results.sort((a, b) => a.seconds - b.seconds)[Math.floor(runs / 2)] as Measured;
}

async function timed(work: () => Promise<unknown>): Promise<Measured> {
  const started = performance.now();
  await work();
  return { seconds: (performance.now() - started) / 1000 };
}

function compare(what: string, ours: Measured, peer: string, theirs: Measured): void {
  const ratio = (ours.seconds / theirs.seconds).toFixed(2);
  const wire = ours.sent === undefined ? '' : `, ${ours.sent} bytes sent, ${ours.channels} channels`;
  console.log(`${what}: ${ours.seconds.toFixed(3)} s${wire}`);
  console.log(`  ${peer}: ${theirs.seconds.toFixed(3)} s; ratio ${ratio}`);
}

async function* pieces(bytes: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 262_144) yield bytes.subarray(at, at + 262_144);
}

/** A way to the server on which everything takes half of `delay` in each direction, as over a long line. */
async function openSlowLine(sshd: Sshd, delay: number): Promise<{ server: Server; config: string }> {
  const server = createServer(near => {
    const far = connect({ host: sshd.host, port: sshd.port, noDelay: true });
    near.setNoDelay(true);
    forward(near, far, delay / 2);
    forward(far, near, delay / 2);
  });
  await new Promise<void>(resolve => server.listen(0, sshd.host, resolve));
  const { port } = server.address() as { port: number };
  const config = join(sshd.folder, 'client', 'slow');
  const text = readFileSync(sshd.config, 'utf8');
  const name = `[${sshd.host}]:${sshd.port}`;
  writeFileSync(config, text.replace(`Port ${sshd.port}`, `Port ${port}\n  HostKeyAlias ${name}`));
  return { server, config };
}

function forward(from: Socket, to: Socket, delay: number): void {
  from.on('data', chunk => setTimeout(() => to.writable && to.write(chunk), delay));
  from.on('end', () => setTimeout(() => to.end(), delay));
  from.on('error', () => to.destroy());
}
