import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import type { IngestConfig } from '../src/index.ts';
import type { Door } from './door.ts';
import { aBody, held, openDoor, queryOf, SESSION } from './door.ts';

/** What only a real connection shows: bodies in pieces, clients that leave or dawdle. */

const open: Door[] = [];
afterEach(async () => {
  for (const door of open.splice(0)) {
    door.app.server.closeAllConnections();
    await door.app.close();
  }
});

async function listening(config: IngestConfig = {}): Promise<{ door: Door; port: number; url: string }> {
  const door = await openDoor(config);
  open.push(door);
  await door.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = door.app.server.address() as AddressInfo;
  return { door, port, url: `http://127.0.0.1:${port}/v1/sessions/${SESSION}/uploads?${queryOf()}` };
}

/** Sends in chunks, without saying how many. */
function chunked(url: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Response> {
  return fetch(url, { method: 'POST', body: Readable.toWeb(Readable.from(chunks)), duplex: 'half' });
}

/** The beginning of an upload on a bare connection. */
function begin(port: number, contentLength: number, firstBytes = new Uint8Array()) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    `POST /v1/sessions/${SESSION}/uploads?${queryOf()} HTTP/1.1\r\nHost: localhost\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${contentLength}\r\n\r\n`,
  );
  if (firstBytes.length > 0) socket.write(firstBytes);
  return socket;
}

async function* endless(bytes: number): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield new Uint8Array(bytes);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('over a connection', () => {
  test('[IN2] a chunked body without a content type is taken', async () => {
    const { door, url } = await listening();
    const body = aBody();
    const answer = await chunked(url, [body.subarray(0, 20), body.subarray(20)]);
    expect(answer.status).toBe(204);
    const [upload] = await door.uploads();
    expect(Buffer.from(upload?.body ?? []).equals(body)).toBe(true);
  });

  test('[IN14] a chunked body is refused as soon as it passes the limit; the answer is heard and the connection ended', async () => {
    const { door, port } = await listening({ uploadBytesMax: 100_000, lingerMs: 50 });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`POST /v1/sessions/${SESSION}/uploads?${queryOf()} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    let answer = '';
    socket.on('data', (data: Buffer) => {
      answer += data.toString();
    });
    let sentBytes = 0;
    for await (const chunk of endless(10_000)) {
      socket.write(`${chunk.length.toString(16)}\r\n`);
      socket.write(chunk);
      socket.write('\r\n');
      sentBytes += chunk.length;
      if (answer.includes('too_large') || sentBytes > 50_000_000) break;
    }
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*too_large/s);
    const ended = once(socket, 'close');
    door.clock.advance(50);
    await ended;
    expect(door.log.appends).toBe(0);
  });

  test('[IN14] a length beyond the limit is answered before a byte of the body came', async () => {
    const { port } = await listening({ uploadBytesMax: 100_000 });
    const socket = begin(port, 100_001);
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  test('[IN20] a client that leaves in mid-body gives its bytes back and harms nobody', async () => {
    const { door, port, url } = await listening({ inFlightBytesMax: 100_000 });
    const socket = begin(port, 80_000, new Uint8Array(10_000));
    // The place is taken: there is no room for another one of that size.
    await expect.poll(async () => (await door.upload(new Uint8Array(60_000))).statusCode).toBe(503);
    socket.destroy();
    await expect.poll(async () => (await door.upload(new Uint8Array(60_000))).statusCode).toBe(422);
    expect((await fetch(url, { method: 'POST', body: aBody() })).status).toBe(204);
    expect(await door.uploads()).toHaveLength(1);
  });

  test('[IN20] a body that pauses is refused with 503', async () => {
    const { door, port } = await listening({ bodyIdleMs: 5_000 });
    const timersBefore = door.clock.waiting;
    const socket = begin(port, 80_000, new Uint8Array(10));
    await expect.poll(() => door.clock.waiting).toBe(timersBefore + 2);
    const data = once(socket, 'data');
    await expect
      .poll(() => {
        door.clock.advance(5_000);
        return socket.bytesRead;
      })
      .toBeGreaterThan(0);
    expect(String((await data)[0])).toMatch(/^HTTP\/1\.1 503 .*retry-after: 1.*overloaded/s);
    socket.destroy();
  });

  test('[IN19] what is in flight is bounded: beyond it 503 with Retry-After, and room again when the log has settled', async () => {
    const { door, url } = await listening({ inFlightBytesMax: 150_000 });
    const append = held();
    let waiting = 0;
    door.log.beforeAppend = (topic) => {
      if (topic !== 'playhead.uploads') return undefined;
      waiting += 1;
      return append.promise;
    };
    // A gzip may be followed by anything: a large body that is cheap to make.
    const large = new Uint8Array(50_000);
    large.set(aBody());
    const post = (): Promise<Response> => fetch(url, { method: 'POST', body: large });
    const taken = [post(), post()];
    await expect.poll(() => waiting).toBe(2);
    const refused = await post();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ error: { code: 'overloaded' } });
    const inChunks = await chunked(url, [large.subarray(0, 5_000), large.subarray(5_000)]);
    expect(inChunks.status).toBe(503);
    append.resolve();
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([204, 204]);
    await expect.poll(async () => (await post()).status).toBe(204);
    expect(await door.uploads()).toHaveLength(3);
  });
});
