import { appendFileSync } from 'node:fs';
import type { Server } from 'node:net';
import type { TestContext } from 'node:test';
import type { Connection } from '#ssh/connection.ts';
import type { HostSettings } from '#ssh/host-settings.ts';
import { type ConnectionOptions, openConnection } from '#ssh/open-connection.ts';
import { noPrompts, type Prompts } from '#ssh/prompts.ts';
import { type Sshd, type SshdOptions, startSshd } from './sshd.ts';

export async function start(context: TestContext, options: SshdOptions = {}): Promise<Sshd> {
  const sshd = await startSshd(options);
  context.after(() => sshd.stop());
  return sshd;
}

export async function connect(
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

/** The port, on loopback. */
export async function listen(context: TestContext, server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', socket => sockets.add(socket.on('error', () => {})));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}
