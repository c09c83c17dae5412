import { createHash } from 'node:crypto';
import { PlayheadError } from '@playhead/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** One range of a representation: first and last byte. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * What a `Range` header asks of `size` bytes (RFC 9110 section 14.2): the whole when there is no header, another unit, bad
 * syntax or more than one range; `unsatisfiable` when no byte of the range exists.
 */
export function parseRange(header: string | undefined, size: number): Span | 'whole' | 'unsatisfiable' {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header ?? '');
  if (match === null) return 'whole';
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return 'whole';
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return 'whole';
  if (first >= size) return 'unsatisfiable';
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}

/** True when one of the tags of `If-None-Match` is ours (weak comparison, RFC 9110 section 13.1.2). */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

/** A strong tag for bytes that never change under this name. The name is hashed: it holds the keys of objects. */
export function etagOf(name: string): string {
  return `"${createHash('sha256').update(name).digest('base64url').slice(0, 27)}"`;
}

/** Bytes that never change, addressed by what they are. */
export interface ImmutableBytes {
  readonly contentType: string;
  readonly size: number;
  readonly etag: string;
  /** Reads a part; `length` is at least 1. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/**
 * Answers a GET or HEAD of immutable bytes: 304 for a known tag, one range as 206, what lies outside as 416, else the whole.
 * A range is honoured under `If-Range` only with our tag.
 */
export async function sendBytes(request: FastifyRequest, reply: FastifyReply, bytes: ImmutableBytes): Promise<FastifyReply> {
  const { size, etag, contentType } = bytes;
  reply.headers({
    etag,
    'cache-control': 'private, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
    'content-security-policy': "default-src 'none'; sandbox",
    vary: 'cookie, authorization',
  });
  if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
  reply.type(contentType);
  const ifRange = request.headers['if-range'];
  // RFC 9110 section 14.2: Range is defined for GET only.
  const asks = request.method === 'GET' && (ifRange === undefined || ifRange === etag);
  const range = asks ? parseRange(request.headers.range, size) : 'whole';
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`);
    throw new PlayheadError('range_not_satisfiable', undefined, { details: { size } });
  }
  const span = range === 'whole' ? { first: 0, last: size - 1 } : range;
  const length = span.last - span.first + 1;
  if (range !== 'whole') reply.code(206).header('content-range', `bytes ${span.first}-${span.last}/${size}`);
  if (request.method === 'HEAD') return reply.header('content-length', size).send();
  return reply.send(Buffer.from(length === 0 ? new Uint8Array() : await bytes.read(span.first, length)));
}
