import { PlayheadError } from '@playhead/schemas';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { viewerOf } from '../auth.ts';
import type { Gateway } from '../deps.ts';
import type { Feed } from '../directory/feed.ts';
import type { SessionDirectory } from '../directory/session-directory.ts';
import { feedSchema, sessionSchema, sessionsSchema } from './http-schemas.ts';

/** What a listener of the feed may leave unread before it is cut off: it comes back and reads the list. */
const FEED_BUFFER_BYTES_MAX = 1024 * 1024;

interface SessionsQuerystring {
  readonly limit: number;
  readonly before?: number;
  readonly live?: boolean;
}

/** `GET /v1/sessions`, `/v1/sessions/:sessionId` and the feed. */
export function registerSessionRoutes(scope: FastifyInstance, gateway: Gateway, directory: SessionDirectory, feed: Feed): void {
  scope.get('/v1/sessions', { schema: sessionsSchema }, async (request, reply) => {
    const { projectId } = viewerOf(request, gateway.projects);
    const { limit, before, live } = request.query as SessionsQuerystring;
    reply.header('cache-control', 'no-store');
    return directory.sessions({
      projectId,
      limit,
      ...(before === undefined ? {} : { startedBeforeMs: before }),
      ...(live === undefined ? {} : { live }),
    });
  });

  scope.get('/v1/sessions/feed', { schema: feedSchema, exposeHeadRoute: false }, (request, reply) => {
    const { projectId } = viewerOf(request, gateway.projects);
    openFeed(request, reply, feed, projectId);
  });

  scope.get('/v1/sessions/:sessionId', { schema: sessionSchema }, async (request, reply) => {
    const { projectId } = viewerOf(request, gateway.projects);
    const { sessionId } = request.params as { sessionId: string };
    const info = await directory.session(projectId, sessionId);
    if (info === null) throw new PlayheadError('session_not_found');
    reply.header('cache-control', 'no-store');
    return info;
  });
}

function openFeed(request: FastifyRequest, reply: FastifyReply, feed: Feed, projectId: string): void {
  const { raw } = reply;
  const write = (text: string): void => {
    if (raw.writableLength > FEED_BUFFER_BYTES_MAX) raw.destroy();
    else raw.write(text);
  };
  const leave = feed.join(projectId, {
    session: (info) => write(`event: session\ndata: ${JSON.stringify(info)}\n\n`),
    heartbeat: () => write(': alive\n\n'),
    end: () => void raw.end(),
  });
  reply.hijack();
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // Proxies that gather answers would hold events back.
    'x-accel-buffering': 'no',
  });
  write(': welcome\n\n');
  request.raw.on('close', leave);
  raw.on('close', leave);
}
