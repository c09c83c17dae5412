import type { FastifyRequest } from 'fastify';

/**
 * A URL that may be logged: its query, which may hold a write key, is gone as a whole. Cutting out `key=` alone would miss the
 * ways in which the name can be percent-encoded.
 */
export function withoutQuery(url: string): string {
  const at = url.search(/[?;#]/);
  return at === -1 ? url : url.slice(0, at);
}

/** Fastify's log serializer of requests, without the query. */
export function loggedRequest(request: FastifyRequest): string {
  return `${request.method} ${withoutQuery(request.url)}`;
}
