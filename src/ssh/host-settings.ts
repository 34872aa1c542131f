import { Failure } from '#base/failure.ts';

/** What the user configured for one host: the words of ssh(1)'s command line. They beat the config files. */
export interface HostSettings {
  /** `[user@]host[:port]`, `ssh://[user@]host[:port]`, or an alias of the config file. */
  host: string;
  /** Instead of `~/.ssh/config` and `/etc/ssh/ssh_config`, as `ssh -F`; `none` reads no file. */
  configFile?: string;
  /** Options of ssh_config(5), as `ssh -o`: `{ IdentityFile: '~/.ssh/cluster' }`. */
  options?: Record<string, string>;
}

/** The parts of a destination as ssh(1) reads it. */
export interface Destination {
  host: string;
  user?: string;
  port?: number;
}

/**
 * Reads `[user@]host[:port]`, `[user@][v6 address][:port]` or `ssh://...`. A bare IPv6 address has no port; a user name
 * may hold an `@`. Throws a Failure for what can't be a destination, and for a host that begins with `-`.
 */
export function parseDestination(text: string): Destination {
  const isUri = /^ssh:\/\//i.test(text);
  const rest = (isUri ? text.slice(6).replace(/\/$/, '') : text).trim();
  const at = rest.lastIndexOf('@');
  const user = at >= 0 ? rest.slice(0, at) : undefined;
  const place = rest.slice(at + 1);
  const parts = /^\[([^\]]+)\](?::(\d+))?$/.exec(place) ?? /^([^:]+)(?::(\d+))?$/.exec(place);
  const host = parts?.[1] ?? (/^[0-9a-f:.]+(%\w+)?$/i.test(place) ? place : '');
  const port = parts?.[2] === undefined ? undefined : Number(parts[2]);
  if (!host || /[\s/]/.test(host) || host.startsWith('-') || user === '' || (port !== undefined && !isPort(port))) {
    throw new Failure('ssh/destination', `“${text}” is no host to connect to`, {
      hint: 'Write it as user@host, user@host:port, or as a Host of your ~/.ssh/config.',
    });
  }
  const name = user !== undefined && isUri ? decodeURIComponent(user) : user;
  return { host, ...(name === undefined ? {} : { user: name }), ...(port === undefined ? {} : { port }) };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65536;
}
