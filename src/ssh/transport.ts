import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import type { Log } from '#base/log.ts';
import { timeoutFailure, toFailure } from './failures.ts';
import type { Host } from './host.ts';

/** Bytes in and out, and how to get at them. */
export interface Transport {
  stream: Duplex;
  /** Bytes on the wire so far, encrypted. */
  traffic(): { sent: number; received: number };
  close(): void;
}

/** A TCP connection to the host itself. Throws a Failure with the reason. */
export function openTcp(host: Host, signal: AbortSignal | undefined): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: host.hostName,
      port: host.port,
      noDelay: true,
      ...(host.addressFamily === undefined ? {} : { family: host.addressFamily }),
    });
    const fail = (error: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.destroy();
      reject(error);
    };
    const abort = () => fail(signal?.reason);
    const timer = setTimeout(() => fail(timeoutFailure(host)), host.connectTimeout * 1000);
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('error', error => fail(toFailure(error, host)));
    socket.once('connect', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      resolve({
        stream: socket,
        traffic: () => ({ sent: socket.bytesWritten, received: socket.bytesRead }),
        close: () => socket.destroy(),
      });
    });
  });
}

/** The `ProxyCommand` of the user's own configuration, run by the shell as ssh_config(5) says. */
export function openProxyCommand(command: string, log: Log): Transport {
  const line = process.platform === 'win32' ? command : `exec ${command}`;
  const child = spawn(line, { shell: true, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
  let sent = 0;
  let received = 0;
  child.stdout.on('data', (chunk: Buffer) => (received += chunk.length));
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.info(`ProxyCommand: ${text.trimEnd()}`));
  child.stdin.on('error', () => {});
  const stream = new Duplex({
    read: () => child.stdout.resume(),
    write(chunk: Buffer, _encoding, callback) {
      sent += chunk.length;
      child.stdin.write(chunk, error => callback(error));
    },
    final: callback => child.stdin.end(() => callback()),
    destroy(error, callback) {
      child.kill();
      callback(error);
    },
  });
  child.stdout.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) child.stdout.pause();
  });
  child.stdout.on('end', () => stream.push(null));
  child.on('error', error => stream.destroy(error));
  return { stream, traffic: () => ({ sent, received }), close: () => stream.destroy() };
}
