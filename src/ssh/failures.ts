import { Failure } from '#base/failure.ts';
import type { Host } from './host.ts';

/** What went wrong on the way into `host`, in words for a person. A Failure passes as it is. */
export function toFailure(error: unknown, host: Host): Failure {
  if (error instanceof Failure) return error;
  const where = host.port === 22 ? host.hostName : `${host.hostName}, port ${host.port}`;
  // Several addresses were tried: the first one's reason is as good as any.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const { code, message } = first as { code?: string | number; message: string };
  const make = (name: string, text: string, hint: string) => new Failure(`ssh/${name}`, text, { hint, cause: first });
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NONAME':
      return make('unknown-host', `there is no host ${host.hostName}`, nameHint(host));
    case 'ECONNREFUSED':
      return make(
        'refused',
        `${where} refuses connections`,
        'Check the port, and whether the cluster is in maintenance.',
      );
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return make(
        'unreachable',
        `${where} can't be reached`,
        'Check the network: is a VPN or a jump host (ProxyJump) needed?',
      );
    case 'ETIMEDOUT':
      return timeoutFailure(host, first);
  }
  if (/no matching|handshake failed|unsupported algorithm/i.test(message)) {
    return make(
      'no-common-algorithm',
      `${where} offers no encryption that is understood here`,
      `The host said: ${message}`,
    );
  }
  return lostFailure(host, first);
}

/** The host does not answer. */
export function timeoutFailure(host: Host, cause?: unknown): Failure {
  return new Failure(
    'ssh/timeout',
    `${host.hostName}, port ${host.port}, did not answer within ${host.connectTimeout} s`,
    {
      hint: 'Check the network: is a VPN or a jump host (ProxyJump) needed? ConnectTimeout in ~/.ssh/config allows more time.',
      cause,
    },
  );
}

/** The connection broke. */
export function lostFailure(host: Host, cause?: unknown): Failure {
  return new Failure('ssh/lost', `the connection to ${host.hostName} was lost`, {
    hint: 'Runs on the cluster go on by themselves. Connect again to see them.',
    cause,
  });
}

/** `hop` would not connect us to `target`. */
export function hopFailure(error: Error & { reason?: unknown }, hop: Host, target: Host): Failure {
  const text = error.message.replace(/^\(SSH\) Channel open failure: /, '');
  const where = `${target.hostName}, port ${target.port}`;
  const make = (name: string, message: string, hint: string) =>
    new Failure(`ssh/${name}`, message, { hint, cause: error });
  if (/prohibited|administratively/i.test(text) || error.reason === 1) {
    return make(
      'forwarding-forbidden',
      `${hop.hostName} does not let connections through to ${where}`,
      'Ask which jump host (ProxyJump) leads to the cluster.',
    );
  }
  if (/name or service not known|resolve|no address/i.test(text)) {
    return make('unknown-host', `${hop.hostName} knows no host ${target.hostName}`, nameHint(target));
  }
  if (/refused/i.test(text))
    return make(
      'refused',
      `${where}, refuses connections from ${hop.hostName}`,
      'Check the port, and whether the cluster is in maintenance.',
    );
  if (/timed out/i.test(text))
    return make(
      'timeout',
      `${where}, did not answer ${hop.hostName}`,
      'Check the name of the host and whether it is up.',
    );
  return make(
    'unreachable',
    `${hop.hostName} could not connect to ${where}: ${text}`,
    'Check ProxyJump in ~/.ssh/config.',
  );
}

function nameHint(host: Host): string {
  return host.alias === host.hostName
    ? 'Check the name, and whether a VPN or a jump host (ProxyJump) is needed to know it.'
    : `It is the HostName of ${host.alias} in your ssh configuration.`;
}
