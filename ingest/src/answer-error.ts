import type { Logger } from '@playhead/ports';
import type { ErrorBody, ErrorCode } from '@playhead/schemas';
import { isWindowId, PlayheadError } from '@playhead/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ClientGone } from './read-body.ts';

/** Seconds after which a client may try again, for the codes that ask it to wait. */
const RETRY_AFTER_S: Partial<Record<ErrorCode, number>> = { overloaded: 1, too_many_requests: 5, log_unavailable: 5, unavailable: 5 };

/**
 * Any error as one of ours. Fastify's own errors keep their meaning and lose their shape; whatever is unknown is `internal` and
 * says nothing of its cause.
 */
export function asPlayheadError(error: unknown): PlayheadError {
  if (error instanceof PlayheadError) return error;
  const status = statusOf(error);
  if (status === 413) return new PlayheadError('too_large', undefined, { cause: error });
  if (status === 404) return new PlayheadError('not_found', undefined, { cause: error });
  if (status !== undefined && status >= 400 && status < 500) {
    return new PlayheadError('invalid_request', error instanceof Error ? error.message : undefined, { cause: error });
  }
  return new PlayheadError('internal', undefined, { cause: error });
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const status = 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** The error handler of ingest's routes: an {@link ErrorBody}, and one line in the log that holds neither the key nor the body. */
export function answerErrors(logger: Logger): (error: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<ErrorBody> {
  return async (error, request, reply) => {
    if (error instanceof ClientGone) {
      logger.debug(describe(request), error.message);
      return sendError(new PlayheadError('invalid_request', error.message), reply);
    }
    const answer = asPlayheadError(error);
    const data = { code: answer.code, reason: answer.message, ...describe(request) };
    if (answer.status < 500) logger.info(data, 'request refused');
    else if (answer.code === 'internal') logger.error({ ...data, err: answer.cause }, 'request failed');
    else logger.warn({ ...data, ...(answer.cause === undefined ? {} : { err: answer.cause }) }, 'request put off');
    return sendError(answer, reply);
  };
}

/** Answers 404 in our shape; for the not-found handler of the whole app. */
export async function answerNotFound(_request: FastifyRequest, reply: FastifyReply): Promise<ErrorBody> {
  return sendError(new PlayheadError('not_found'), reply);
}

/** Answers errors from before routing (a URL that cannot be decoded, a parameter that is too long); for Fastify's `frameworkErrors` option. */
export function answerFrameworkError(error: unknown, _request: FastifyRequest, reply: FastifyReply): void {
  const answer = asPlayheadError(error);
  void reply.type('application/json; charset=utf-8').send(JSON.stringify(sendError(answer, reply)));
}

function sendError(answer: PlayheadError, reply: FastifyReply): ErrorBody {
  const retryAfterS = RETRY_AFTER_S[answer.code];
  reply.code(answer.status).header('cache-control', 'no-store');
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS));
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer');
  return answer.toBody();
}

/** Who and what a request was, for logs. The URL is left out: its query holds the write key. */
function describe(request: FastifyRequest): Record<string, unknown> {
  const route = request.routeOptions.url;
  const { sessionId } = (request.params ?? {}) as { sessionId?: string };
  const { window, upload } = (request.query ?? {}) as { window?: unknown; upload?: unknown };
  return {
    method: request.method,
    route,
    requestId: request.id,
    projectId: projectOf(request),
    sessionId,
    windowId: idOrNothing(window),
    uploadId: idOrNothing(upload),
  };
}

function idOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' && isWindowId(value) ? value : undefined;
}

/** Name of the request decorator that holds the project of the write key, once it was checked. */
export const PROJECT_DECORATOR = 'ingestProjectId';

function projectOf(request: FastifyRequest): string | undefined {
  if (!request.server.hasRequestDecorator(PROJECT_DECORATOR)) return undefined;
  return request.getDecorator<string>(PROJECT_DECORATOR) || undefined;
}
