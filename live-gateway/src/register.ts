import cookie from '@fastify/cookie';
import websocket from '@fastify/websocket';
import { PlayheadError } from '@playhead/schemas';
import type { FastifyError, FastifyInstance } from 'fastify';
import type { LiveGatewayDeps } from './deps.ts';
import { Feed } from './directory/feed.ts';
import { errorText } from './error-text.ts';
import { GatewayParts } from './gateway-parts.ts';
import { registerLiveRoute } from './live-route.ts';
import { BlockLists } from './read-api/block-lists.ts';
import { registerBlockRoutes } from './read-api/block-routes.ts';
import { registerSessionRoutes } from './read-api/session-routes.ts';

/** A viewer has nothing to say: anything longer than a control frame closes its connection. */
const VIEWER_MESSAGE_BYTES_MAX = 1024;

/**
 * Registers the read API and the live streams on `app`. They live until the app is closed: viewers are then sent away with
 * 1001, tails end, and leases are left to expire.
 *
 * `@fastify/cookie` and `@fastify/websocket` are registered unless the app has them.
 */
export async function registerLiveGateway(app: FastifyInstance, deps: LiveGatewayDeps): Promise<void> {
  const parts = new GatewayParts(deps);
  const { gateway, directory } = parts;
  const feed = new Feed(gateway, directory);

  await app.register(async (scope) => {
    // Before the socket plugin's own hook, which closes what is still open without a code.
    scope.addHook('preClose', (done) => {
      parts.dismiss();
      feed.close();
      done();
    });
    scope.addHook('onClose', () => parts.close());
    if (!scope.hasRequestDecorator('cookies')) await scope.register(cookie);
    if (!scope.hasDecorator('websocketServer')) await scope.register(websocket, { options: { maxPayload: VIEWER_MESSAGE_BYTES_MAX } });

    scope.addHook('onRequest', async (_request, reply) => {
      reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer');
    });
    scope.setErrorHandler((error: FastifyError | PlayheadError, request, reply) => {
      const known = knownError(error);
      if (known.code === 'internal') gateway.logger.error({ url: request.routeOptions.url, error: errorText(error) }, 'a request failed');
      if (known.code === 'overloaded' || known.code === 'unavailable') reply.header('retry-after', '1');
      reply.header('cache-control', 'no-store').removeHeader('etag');
      return reply.code(known.status).type('application/json').send(known.toBody());
    });
    registerSessionRoutes(scope, gateway, directory, feed);
    registerBlockRoutes(scope, gateway, directory, new BlockLists(gateway));
    registerLiveRoute(scope, parts);
  });
  parts.start();
}

function knownError(error: FastifyError | PlayheadError): PlayheadError {
  if (error instanceof PlayheadError) return error;
  if (error.validation !== undefined) return new PlayheadError('invalid_request', error.message);
  return new PlayheadError('internal');
}
