import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What happens to a request: it is served; nobody answers; it is served and the answer is lost; an error; an answer of which
 * only half arrives; one that stops half way; one with a byte that is not the object's.
 */
export type Fate =
  | 'serve'
  | 'stall'
  | 'lose the answer'
  | { readonly status: number; readonly code: string }
  | 'cut'
  | 'stop half way'
  | 'damage';

interface Held {
  readonly bytes: Buffer;
  readonly mark: string;
  /** As its writer told it, if they did. */
  readonly crc32: string | undefined;
}

export interface SmallRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface SmallS3 {
  readonly endpoint: string;
  /** Every request that arrived whole, in order. */
  readonly requests: readonly SmallRequest[];
  /** At first there is one, `bucket`. */
  readonly buckets: Set<string>;
  /** Connections that were made. */
  readonly connections: () => number;
  /** Fates of the next requests; those after them are served. */
  readonly fates: Fate[];
  stop(): Promise<void>;
}

/**
 * A server of whole objects with conditional puts, on 127.0.0.1: enough to see what the SDK sends and how it bears failures. A
 * bucket is named by the path, or by the host below `s3.localhost`.
 */
export async function smallS3(): Promise<SmallS3> {
  const objects = new Map<string, Held>();
  const requests: SmallRequest[] = [];
  const buckets = new Set(['bucket']);
  const fates: Fate[] = [];
  let connections = 0;

  function serve(method: string, path: string, request: IncomingMessage, body: Buffer, response: ServerResponse, isDamaged = false): void {
    const held = objects.get(path);
    const [, bucket = '', name = ''] = path.split('/');
    if (method === 'PUT' && name === '') {
      if (buckets.has(bucket)) return fail(response, 409, 'BucketAlreadyOwnedByYou');
      buckets.add(bucket);
      response.writeHead(200).end();
      return;
    }
    if (!buckets.has(bucket)) return fail(response, 404, 'NoSuchBucket');
    if (method === 'PUT' && held && request.headers['if-none-match'] === '*') return fail(response, 412, 'PreconditionFailed');
    if (method === 'PUT') {
      const { 'x-amz-meta-playhead-put': mark, 'x-amz-checksum-crc32': crc32 } = request.headers;
      objects.set(path, { bytes: body, mark: String(mark), crc32: crc32 === undefined ? undefined : String(crc32) });
      response.writeHead(200, { etag: '"etag"' }).end();
    } else if (method === 'DELETE') {
      objects.delete(path);
      response.writeHead(204).end();
    } else if (held) {
      // As S3, which sends a checksum to those who ask for it.
      const crc32 = request.headers['x-amz-checksum-mode'] === 'ENABLED' ? held.crc32 : undefined;
      const checksum = crc32 === undefined ? {} : { 'x-amz-checksum-crc32': crc32 };
      response.writeHead(200, { 'content-length': held.bytes.length, 'x-amz-meta-playhead-put': held.mark, ...checksum });
      response.end(method === 'HEAD' ? undefined : isDamaged ? damaged(held.bytes) : held.bytes);
    } else {
      fail(response, 404, 'NoSuchKey');
    }
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const bucketOfHost = /^(.+)\.s3\.localhost:/.exec(headers.host ?? '')?.[1];
      const path = `${bucketOfHost === undefined ? '' : `/${bucketOfHost}`}${url.split('?', 1)[0]}`;
      const body = Buffer.concat(chunks);
      requests.push({ method, url, headers, body });
      const fate = fates.shift() ?? 'serve';
      if (fate === 'stall') return;
      if (typeof fate === 'object') return fail(response, fate.status, fate.code);
      if (fate === 'serve' || fate === 'damage') return serve(method, path, request, body, response, fate === 'damage');
      if (fate === 'lose the answer') {
        const nowhere = { writeHead: () => nowhere, end: () => nowhere } as unknown as ServerResponse;
        serve(method, path, request, body, nowhere);
        request.socket.destroy();
        return;
      }
      const bytes = objects.get(path)?.bytes ?? Buffer.of();
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, bytes.length / 2), () => {
        if (fate === 'cut') request.socket.destroy();
      });
    });
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () => connections,
    fates,
    buckets,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function damaged(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes);
  other[0] = (other[0] ?? 0) ^ 1;
  return other;
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as the test wants</Message></Error>`);
}
