import cors from '@fastify/cors';
import { REPLY_HEADERS } from '@playhead/schemas';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { answerErrors, answerNotFound } from './answer-error.ts';
import { loggedRequest } from './log-url.ts';
import { registerOpenapi } from './openapi.ts';
import { registerRoutes } from './routes.ts';
import { SessionBook } from './session-book.ts';
import type { IngestDeps, IngestSettings } from './settings.ts';
import { settingsOf } from './settings.ts';
import { tailTopic } from './tail-topic.ts';

const PREFIX = '/v1/sessions';
/** The paths of the native door; under the same prefix the read API lives, which no other origin may call. */
const DOOR_PATH = /^\/v1\/sessions(?:\/[^/?;#]+\/(?:uploads|end|watch))?(?:[?;#]|$)/;
const WATCH_PATH = /^[^?;#]*\/watch(?:[?;#]|$)/;
/** Browsers cap it: Chrome at two hours, Firefox at a day. */
const PREFLIGHT_MAX_AGE_S = 86_400;

/**
 * Opens the native door: the routes of `schemas/src/native-door.ts` under /v1, and their description at /openapi.json. Rules:
 * SPEC.md (IN...).
 *
 * Everything is encapsulated: error handler, body parsing and CORS are those of these routes only. Closing the app ends what
 * follows the log; the log itself is the caller's.
 */
export async function registerIngest(app: FastifyInstance, deps: IngestDeps): Promise<void> {
  const settings = settingsOf(deps.config);
  const book = new SessionBook(deps.log, deps.clock, settings);
  await app.register(async (scope) => {
    scope.setErrorHandler(answerErrors(deps.logger));
    // Requests are checked by core/, which says all that is wrong at once; the schemas of the routes describe.
    scope.setValidatorCompiler(() => () => true);
    scope.setSerializerCompiler(() => (data) => JSON.stringify(data));
    await registerOpenapi(scope);
    await scope.register(async (door) => registerDoor(door, deps, settings, book), {
      prefix: PREFIX,
      logSerializers: { req: loggedRequest },
    });
  });
  const closing = new AbortController();
  const following = followLog(deps, book, settings.tailPauseMs, closing.signal);
  app.addHook('onClose', () => {
    closing.abort();
    return following;
  });
}

async function registerDoor(door: FastifyInstance, deps: IngestDeps, settings: IngestSettings, book: SessionBook): Promise<void> {
  // Bodies are read by the routes, which admit their bytes first.
  door.removeAllContentTypeParsers();
  door.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  await door.register(cors, {
    delegator: (request: FastifyRequest, answer) =>
      answer(null, {
        origin: DOOR_PATH.test(request.url) ? '*' : false,
        methods: WATCH_PATH.test(request.url) ? ['GET'] : ['POST'],
        allowedHeaders: ['authorization', 'content-type'],
        exposedHeaders: [...Object.values(REPLY_HEADERS), 'retry-after'],
        maxAge: PREFLIGHT_MAX_AGE_S,
        credentials: false,
        strictPreflight: false,
      }),
  });
  registerRoutes(door, deps, settings, book);
  // Nobody else takes a POST below here.
  door.post('/*', { schema: { hide: true } }, answerNotFound);
}

/** Keeps the book up to date with what other processes tell of sessions and watches; resolves when `signal` has aborted and all has ended. */
export async function followLog(
  deps: Pick<IngestDeps, 'log' | 'clock' | 'logger'>,
  book: SessionBook,
  pauseMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { log, clock, logger } = deps;
  const common = { log, clock, logger, pauseMs, signal };
  await Promise.all([
    tailTopic({ ...common, topic: 'playhead.watches', apply: (watch) => book.see(watch) }),
    tailTopic({ ...common, topic: 'playhead.sessions', apply: (fact) => book.know(fact) }),
  ]);
}
