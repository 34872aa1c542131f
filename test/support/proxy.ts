// An HTTP proxy on loopback that forwards requests and opens tunnels, as the web proxies of clusters do.
import { createServer, request as requestHttp } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Proxy {
  url: string;
  /** `CONNECT host:port`, or `GET http://host/path`. */
  requests: string[];
  stop(): Promise<void>;
}

export async function startProxy(): Promise<Proxy> {
  const requests: string[] = [];
  const tunnels = new Set<Duplex>();
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const { method, headers } = request;
    const forwarded = requestHttp(request.url ?? '', { method, headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
  });
  server.on('connect', (request, socket) => {
    requests.push(`CONNECT ${request.url}`);
    tunnels.add(socket);
    const [host, port] = (request.url ?? '').split(':');
    const target = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    for (const each of [socket, target]) each.on('error', () => socket.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const each of tunnels) each.destroy();
      }),
  };
}
