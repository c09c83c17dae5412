import type { Projects, Viewer } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import type { FastifyRequest } from 'fastify';

export const TOKEN_COOKIE = 'playhead_token';

/** The token that a request shows: `Authorization: Bearer`, `?token=`, or the cookie. */
export function tokenOf(request: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const query = (request.query as Readonly<Record<string, unknown>> | undefined)?.['token'];
  if (typeof query === 'string' && query !== '') return query;
  return request.cookies[TOKEN_COOKIE];
}

/** @throws {PlayheadError} `unauthorized` */
export function viewerOf(request: FastifyRequest, projects: Projects): Viewer {
  const token = tokenOf(request);
  const viewer = token === undefined ? undefined : projects.viewerOfToken(token);
  if (viewer === undefined) throw new PlayheadError('unauthorized');
  return viewer;
}

/**
 * True when the page that asks is our own, or the client is no page (it sends no Origin). A WebSocket is not bound by CORS,
 * and a cookie goes along with it: without this, any page could watch with a viewer's token.
 */
export function isSameOrigin(request: FastifyRequest): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return true;
  try {
    return new URL(origin).host.toLowerCase() === request.host.toLowerCase();
  } catch {
    return false;
  }
}
