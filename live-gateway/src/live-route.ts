import type { Viewer as Person } from '@playhead/ports';
import type { CloseReason, JoinFrom, Position } from '@playhead/schemas';
import { CLOSE_CODES, isSessionId, PlayheadError, parsePosition, partitionOf } from '@playhead/schemas';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isSameOrigin, viewerOf } from './auth.ts';
import type { Gateway } from './deps.ts';
import type { SessionDirectory } from './directory/session-directory.ts';
import { errorText } from './error-text.ts';
import type { ViewerSocket } from './handover/viewer-socket.ts';
import { PacedSocket } from './handover/viewer-socket.ts';
import type { Viewers } from './handover/viewers.ts';

/** The part of `ws` that the route uses besides sending. */
interface RouteSocket extends ViewerSocket {
  on(event: 'close' | 'error', listener: () => void): unknown;
}

/** What `?from=` asks for; undefined for what is none of the three. */
export function parseFrom(text: string | undefined): JoinFrom | undefined {
  if (text === undefined || text === 'start') return 'start';
  if (text === 'keyframe') return 'keyframe';
  const after = parsePosition(text);
  return after === undefined ? undefined : { after };
}

/** OpenAPI has no words for WebSocket; the stream is described in the wire's own types. */
const hidden: object = { hide: true };

/** `GET /v1/sessions/:sessionId/live`: the stream of one session over a WebSocket. Refusals are close codes: a page cannot see the status of a failed upgrade. */
export function registerLiveRoute(scope: FastifyInstance, gateway: Gateway, directory: SessionDirectory, viewers: Viewers): void {
  scope.route({
    method: 'GET',
    url: '/v1/sessions/:sessionId/live',
    exposeHeadRoute: false,
    schema: hidden,
    handler: () => {
      throw new PlayheadError('invalid_request', 'This address speaks WebSocket.');
    },
    wsHandler: (socket: unknown, request: FastifyRequest) => {
      const ws = socket as RouteSocket;
      void serve(gateway, directory, viewers, ws, request).catch((error: unknown) => {
        gateway.logger.error({ error: errorText(error) }, 'a viewer was lost');
        refuse(ws, 'internal');
      });
    },
  });
}

async function serve(
  gateway: Gateway,
  directory: SessionDirectory,
  viewers: Viewers,
  ws: RouteSocket,
  request: FastifyRequest,
): Promise<void> {
  const gone = new AbortController();
  ws.on('close', () => gone.abort());
  ws.on('error', () => gone.abort());

  const person = personOf(request, gateway);
  if (!isSameOrigin(request)) return refuse(ws, 'forbidden');
  if (person === undefined) return refuse(ws, 'unauthorized');
  const { sessionId } = request.params as { sessionId: string };
  const query = request.query as { from?: string | string[] };
  const from = Array.isArray(query.from) ? undefined : parseFrom(query.from);
  if (from === undefined) return refuse(ws, 'invalid_request');
  if (viewers.isFull) return refuse(ws, 'overloaded');
  const session = isSessionId(sessionId) ? await directory.session(person.projectId, sessionId) : null;
  if (session === null) return refuse(ws, 'session_not_found');
  if (typeof from === 'object' && !(await hasGivenOut(gateway, sessionId, from.after))) return refuse(ws, 'position_gone');
  if (viewers.isFull) return refuse(ws, 'overloaded');
  if (gone.signal.aborted) return;
  await viewers.serve(person, session, from, new PacedSocket(ws), gone.signal);
}

/** False for a position of another log, or of one that was wiped: offsets grow, so what is not below the end has never been. */
async function hasGivenOut({ log }: Gateway, sessionId: string, position: Position): Promise<boolean> {
  const { next } = await log.bounds('playhead.uploads', partitionOf(sessionId, log.partitions));
  return position.offset < next;
}

function personOf(request: FastifyRequest, gateway: Gateway): Person | undefined {
  try {
    return viewerOf(request, gateway.projects);
  } catch (error) {
    if (error instanceof PlayheadError) return undefined;
    throw error;
  }
}

function refuse(socket: ViewerSocket, reason: CloseReason): void {
  socket.close(CLOSE_CODES[reason], reason);
}
