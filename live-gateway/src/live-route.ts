import type { Socket } from 'node:net';
import type { Viewer as Person } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isSameOrigin, viewerOf } from './auth.ts';
import type { Gateway } from './deps.ts';
import { errorText } from './error-text.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { refuse } from './gateway-parts.ts';
import { parseFrom } from './handover/core/parse-from.ts';
import type { ViewerSocket } from './handover/viewer-socket.ts';

/** The part of `ws` that is used. */
interface WebSocketLike extends Omit<ViewerSocket, 'cork' | 'uncork'> {
  on(event: 'close' | 'error', listener: () => void): unknown;
}

/** OpenAPI has no words for WebSocket; the stream is described in the wire's own types. */
const hidden: object = { hide: true };

/** `GET /v1/sessions/:sessionId/live`: the stream of one session over a WebSocket. Refusals are close codes: a page cannot see the status of a failed upgrade. */
export function registerLiveRoute(scope: FastifyInstance, parts: GatewayParts): void {
  scope.route({
    method: 'GET',
    url: '/v1/sessions/:sessionId/live',
    exposeHeadRoute: false,
    schema: hidden,
    handler: () => {
      throw new PlayheadError('invalid_request', 'This address speaks WebSocket.');
    },
    wsHandler: (socket: unknown, request: FastifyRequest) => {
      const ws = socket as WebSocketLike;
      const gone = new AbortController();
      ws.on('close', () => gone.abort());
      ws.on('error', () => gone.abort());
      const viewer = viewerSocketOf(ws, request.raw.socket);
      void serve(parts, viewer, request, gone.signal).catch((error: unknown) => {
        parts.gateway.logger.error({ error: errorText(error) }, 'a viewer was lost');
        refuse(viewer, 'internal');
      });
    },
  });
}

/** `ws` has no cork of its own: it is that of the connection below. */
function viewerSocketOf(ws: WebSocketLike, connection: Pick<Socket, 'cork' | 'uncork'>): ViewerSocket {
  return {
    get bufferedAmount() {
      return ws.bufferedAmount;
    },
    send: (data, done) => ws.send(data, done),
    close: (code, reason) => ws.close(code, reason),
    terminate: () => ws.terminate(),
    cork: () => connection.cork(),
    uncork: () => connection.uncork(),
  };
}

async function serve(parts: GatewayParts, viewer: ViewerSocket, request: FastifyRequest, gone: AbortSignal): Promise<void> {
  const person = personOf(request, parts.gateway);
  if (!isSameOrigin(request)) return refuse(viewer, 'forbidden');
  if (person === undefined) return refuse(viewer, 'unauthorized');
  const { sessionId } = request.params as { sessionId: string };
  const query = request.query as { from?: string | string[] };
  const from = Array.isArray(query.from) ? undefined : parseFrom(query.from);
  if (from === undefined) return refuse(viewer, 'invalid_request');
  await parts.admit(person, sessionId, from, viewer, gone);
}

function personOf(request: FastifyRequest, gateway: Gateway): Person | undefined {
  try {
    return viewerOf(request, gateway.projects);
  } catch (error) {
    if (error instanceof PlayheadError) return undefined;
    throw error;
  }
}
