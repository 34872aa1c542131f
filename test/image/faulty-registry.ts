// A registry that serves one image from memory and can be told to misbehave, as no real one does on request.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TestImage } from '../support/images.ts';

export interface FaultyRegistry {
  url: string;
  /** `GET /v2/...`, with the headers that matter behind it. */
  requests: { line: string; authorization?: string; range?: string; accept?: string }[];
  stop(): Promise<void>;
}

/** True where the answer was given. */
export type Fault = (request: IncomingMessage, response: ServerResponse, body: Buffer, count: number) => boolean;

/** `fault` sees every request that has an answer, with that answer and how many times it was asked before. */
export async function startFaultyRegistry(image: TestImage, fault: Fault = () => false): Promise<FaultyRegistry> {
  const requests: FaultyRegistry['requests'] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const { authorization, range, accept } = request.headers;
    requests.push({ line: `${request.method} ${request.url}`, authorization, range, accept });
    const count = counts.get(request.url ?? '') ?? 0;
    counts.set(request.url ?? '', count + 1);
    const body = findBody(image, request.url ?? '');
    if (fault(request, response, body ?? Buffer.alloc(0), count)) return;
    if (!body) {
      response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return;
    }
    if (request.url?.includes('/manifests/')) response.setHeader('content-type', image.mediaType);
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` });
    response.end(body.subarray(start));
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
      }),
  };
}

function findBody(image: TestImage, url: string): Buffer | undefined {
  const reference = /\/manifests\/(.*)$/.exec(url)?.[1];
  if (reference === 'latest' || reference === image.digest) return image.manifest;
  return image.blobs.get(/\/blobs\/(.*)$/.exec(url)?.[1] ?? '');
}
