import { Failure } from '#base/failure.ts';
import { type Log, silentLog } from '#base/log.ts';
import { type Company, openClient } from './client.ts';
import { Connection } from './connection.ts';
import { timeoutFailure } from './failures.ts';
import { type Host, resolveHost } from './host.ts';
import type { HostSettings } from './host-settings.ts';
import type { Prompts } from './prompts.ts';
import { openProxyCommand, openTcp, type Transport } from './transport.ts';

export interface ConnectionOptions {
  signal?: AbortSignal;
  log?: Log;
  /** What hosts say before the login. */
  onBanner?(text: string): void;
}

/** As many jump hosts in a row as anybody has; more is a circle in the configuration. */
const maxHops = 8;

/**
 * Logs in to a host, through its jump hosts. On every hop the host key is checked first; nothing is sent to a host whose
 * key is not trusted. Throws a Failure (`ssh/...`) with a hint, and leaves nothing open then.
 */
export async function openConnection(
  settings: HostSettings,
  prompts: Prompts,
  options: ConnectionOptions = {},
): Promise<Connection> {
  options.signal?.throwIfAborted();
  let wasAsked = false;
  const company: Company = {
    prompts,
    log: options.log ?? silentLog,
    onBanner: text => options.onBanner?.(text),
    onAsked: () => {
      wasAsked = true;
    },
    signal: options.signal,
  };
  return connect(settings, company, () => wasAsked, 0);
}

async function connect(
  settings: HostSettings,
  company: Company,
  wasAsked: () => boolean,
  depth: number,
): Promise<Connection> {
  if (depth > maxHops) {
    throw new Failure('ssh/config', `the jump hosts lead in a circle at ${settings.host}`, {
      hint: 'Check ProxyJump in ~/.ssh/config.',
    });
  }
  const host = resolveHost(settings, undefined, company.log);
  const transport = await openTransport(host, company, wasAsked, depth);
  const client = await openClient(host, transport, company);
  company.log.info(`logged in to ${host.hostName} as ${host.user}`);
  return new Connection(host, client, transport, wasAsked());
}

async function openTransport(host: Host, company: Company, wasAsked: () => boolean, depth: number): Promise<Transport> {
  if (host.proxyCommand !== undefined) return openProxyCommand(host.proxyCommand, company.log);
  const last = host.jumps.at(-1);
  if (last === undefined) return openTcp(host, company.signal);
  // The hops before the last one are how the last one is reached; only the first follows its own ProxyJump.
  const before = host.jumps.slice(0, -1).map(hop => hop.host);
  const settings = before.length > 0 ? { ...last, options: { ProxyJump: before.join(',') } } : last;
  const hop = await connect(settings, company, wasAsked, depth + 1);
  try {
    const stream = await Promise.race([hop.forward(host), rejectLater(host, company.signal)]);
    return { stream, traffic: () => hop.traffic(), close: () => hop.close() };
  } catch (error) {
    hop.close();
    throw error;
  }
}

/** A hop tries for minutes to reach a host that does not answer; we do not wait longer than for one of our own. */
function rejectLater(host: Host, signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(timeoutFailure(host)), host.connectTimeout * 1000);
    timer.unref();
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
