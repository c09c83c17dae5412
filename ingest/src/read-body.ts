import type { Readable } from 'node:stream';
import type { Clock } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import type { Admitted } from './core/byte-admission.ts';

/** The client went away before its body was whole. Nobody is there to be answered. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

export interface BodyBounds {
  readonly bytesMax: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

/** The length that the client announced; undefined when it sends in chunks of a total that it does not say. */
export function announcedLength(headers: Readonly<Record<string, unknown>>): number | undefined {
  const text = headers['content-length'];
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * Reads a body into memory. Bytes beyond what was admitted already are admitted as they come.
 *
 * The stream is left open when reading stops early: destroying it would close the connection before the answer is out.
 *
 * @param stream undefined: the request has no body
 * @param alreadyAdmitted body bytes that `admitted` counts already
 * @throws {PlayheadError} `too_large`; `overloaded` when there is no room, or when the body pauses or takes too long
 * @throws {ClientGone}
 */
export async function readBody(
  stream: Readable | undefined,
  admitted: Admitted,
  alreadyAdmitted: number,
  bounds: BodyBounds,
  clock: Clock,
): Promise<Uint8Array> {
  if (!stream) return new Uint8Array();
  if (stream.destroyed && !stream.readableEnded) throw new ClientGone('the client left before its body was read');
  const chunks: Uint8Array[] = [];
  let length = 0;
  await new Promise<void>((resolve, reject) => {
    let cancelIdle = clock.setTimer(bounds.idleMs, () => fail(tooSlow(`paused for ${bounds.idleMs} ms`)));
    const cancelTotal = clock.setTimer(bounds.totalMs, () => fail(tooSlow(`took longer than ${bounds.totalMs} ms`)));

    function settle(): void {
      cancelIdle();
      cancelTotal();
      stream?.off('data', onData).off('end', onEnd).off('close', onClose);
      // The listener for errors stays: an error that nobody listens to would end the process.
    }
    function fail(error: Error): void {
      settle();
      stream?.pause();
      reject(error);
    }
    function onData(chunk: Uint8Array): void {
      length += chunk.length;
      if (length > bounds.bytesMax) return fail(tooLarge(bounds.bytesMax));
      const more = length - Math.max(alreadyAdmitted, length - chunk.length);
      if (more > 0 && !admitted.grow(more)) return fail(new PlayheadError('overloaded'));
      chunks.push(chunk);
      cancelIdle();
      cancelIdle = clock.setTimer(bounds.idleMs, () => fail(tooSlow(`paused for ${bounds.idleMs} ms`)));
    }
    function onEnd(): void {
      settle();
      resolve();
    }
    function onClose(): void {
      fail(new ClientGone('the client left in mid-body'));
    }
    stream.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
  const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length);
  return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
}

export function tooLarge(bytesMax: number): PlayheadError {
  return new PlayheadError('too_large', `The body is larger than ${bytesMax} bytes.`, { details: { bytesMax } });
}

/** Retryable: a slow network is no fault of the upload. */
function tooSlow(what: string): PlayheadError {
  return new PlayheadError('overloaded', `The body ${what}.`);
}
