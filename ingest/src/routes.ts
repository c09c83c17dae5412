import { Readable } from 'node:stream';
import type { StartAnswer } from '@playhead/schemas';
import { PlayheadError, uuidv7 } from '@playhead/schemas';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROJECT_DECORATOR } from './answer-error.ts';
import { BodyCheck } from './check-body.ts';
import type { Admitted } from './core/byte-admission.ts';
import { ByteAdmission } from './core/byte-admission.ts';
import { assertRecordable } from './core/session-id.ts';
import { readStart, START_BYTES_MAX, startedFact } from './core/start-request.ts';
import { announcement, readUploadQuery, uploadRecord } from './core/upload-request.ts';
import { END_SCHEMA, START_SCHEMA, UPLOAD_SCHEMA, WATCH_SCHEMA } from './openapi.ts';
import { announcedLength, readBody, tooLarge } from './read-body.ts';
import type { SessionBook } from './session-book.ts';
import type { IngestDeps, IngestSettings } from './settings.ts';
import { keyOf } from './write-key.ts';

/** What an upload holds besides its body (socket, request, record), so that a flood of tiny ones is bounded too. */
const REQUEST_BYTES = 16 * 1024;

interface SessionParams {
  readonly sessionId: string;
}

/** The four routes of the native door. */
export function registerRoutes(door: FastifyInstance, deps: IngestDeps, settings: IngestSettings, book: SessionBook): void {
  const { projects, clock, logger } = deps;
  const admission = new ByteAdmission(settings.inFlightBytesMax);
  const bodies = new BodyCheck(settings.checksMax);

  door.decorateRequest(PROJECT_DECORATOR, '');

  async function authenticate(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    endLate(request, reply);
    const key = keyOf(request);
    const projectId = key === undefined ? undefined : projects.projectOfWriteKey(key);
    if (projectId === undefined) throw new PlayheadError('unauthorized');
    request.setDecorator(PROJECT_DECORATOR, projectId);
  }

  /**
   * After an answer that came before the end of the body, the rest is thrown away for a moment, so that the client, who is still
   * sending, can hear the answer; then the connection ends.
   */
  function endLate(request: FastifyRequest, reply: FastifyReply): void {
    const { raw } = request;
    reply.raw.once('finish', () => {
      if (raw.complete || raw.readableEnded || raw.destroyed) return;
      const cancel = clock.setTimer(settings.lingerMs, () => raw.complete || raw.destroy());
      raw.once('end', cancel).once('close', cancel);
    });
  }

  function admit(bytes: number): Admitted {
    const admitted = admission.admit(bytes);
    if (!admitted) throw new PlayheadError('overloaded');
    return admitted;
  }

  /** Admits a body, reads it and hands it on. Its bytes are given back when `use` has settled, unless it takes that over with `keep`. */
  async function withBody<T>(
    request: FastifyRequest,
    bytesMax: number,
    use: (body: Uint8Array, keep: () => Admitted) => Promise<T>,
  ): Promise<T> {
    const length = announcedLength(request.headers);
    if (length !== undefined && length > bytesMax) throw tooLarge(bytesMax);
    const admitted = admit(REQUEST_BYTES + (length ?? 0));
    let kept = false;
    try {
      const stream = request.body instanceof Readable ? request.body : undefined;
      const bounds = { bytesMax, idleMs: settings.bodyIdleMs, totalMs: settings.bodyTotalMs };
      const body = await readBody(stream, admitted, length ?? 0, bounds, clock);
      return await use(body, () => {
        kept = true;
        return admitted;
      });
    } finally {
      if (!kept) admitted.release();
    }
  }

  door.post('', { onRequest: authenticate, schema: START_SCHEMA }, async (request, reply): Promise<StartAnswer> => {
    const projectId = request.getDecorator<string>(PROJECT_DECORATOR);
    const nowMs = clock.now();
    const sessionId = await withBody(request, START_BYTES_MAX, async (body, keep) => {
      const start = readStart(body, nowMs);
      if (start.sessionId !== undefined) assertRecordable(start.sessionId, nowMs);
      const id = start.sessionId ?? uuidv7(nowMs, deps.randomBytes(10));
      const admitted = keep();
      await book.tell(startedFact(projectId, id, start), () => admitted.release());
      logger.debug({ projectId, sessionId: id, source: start.source }, 'session started');
      return id;
    });
    reply.code(201).header('cache-control', 'no-store');
    return { sessionId, serverTimeMs: clock.now(), config: settings.recorder };
  });

  door.post<{ Params: SessionParams; Querystring: Record<string, unknown> }>(
    '/:sessionId/uploads',
    { onRequest: authenticate, schema: UPLOAD_SCHEMA },
    async (request, reply): Promise<void> => {
      const projectId = request.getDecorator<string>(PROJECT_DECORATOR);
      const { sessionId } = request.params;
      const receivedAtMs = clock.now();
      assertRecordable(sessionId, receivedAtMs);
      const fields = readUploadQuery(request.query, receivedAtMs);
      await withBody(request, settings.uploadBytesMax, async (body, keep) => {
        const { frames, inflatedBytes, codec, format, epochMs, outline } = await bodies.check(body, fields, receivedAtMs);
        const upload = uploadRecord({ projectId, sessionId, receivedAtMs }, fields, { codec, format, epochMs, body, outline });
        const told = admit(REQUEST_BYTES);
        await book.announce(announcement(upload), () => told.release());
        const admitted = keep();
        await book.append(upload, () => admitted.release());
        const { windowId, uploadId } = fields;
        logger.debug({ projectId, sessionId, windowId, uploadId, frames, bytes: body.length, inflatedBytes }, 'upload accepted');
      });
      reply.code(204).headers(book.replyHeaders(projectId, sessionId)).header('cache-control', 'no-store');
    },
  );

  door.post<{ Params: SessionParams }>(
    '/:sessionId/end',
    { onRequest: authenticate, schema: END_SCHEMA },
    async (request, reply): Promise<void> => {
      const projectId = request.getDecorator<string>(PROJECT_DECORATOR);
      const { sessionId } = request.params;
      const nowMs = clock.now();
      assertRecordable(sessionId, nowMs);
      if ((announcedLength(request.headers) ?? 0) > START_BYTES_MAX) throw tooLarge(START_BYTES_MAX);
      const admitted = admit(REQUEST_BYTES);
      await book.tell({ kind: 'ended', projectId, sessionId, endedAtMs: nowMs, reason: 'told' }, () => admitted.release());
      logger.debug({ projectId, sessionId }, 'session ended');
      reply.code(204).header('cache-control', 'no-store');
    },
  );

  const held = new Set<Promise<void>>();
  let closing = false;

  door.get<{ Params: SessionParams }>(
    '/:sessionId/watch',
    { onRequest: authenticate, schema: WATCH_SCHEMA, exposeHeadRoute: false },
    async (request, reply): Promise<void> => {
      const projectId = request.getDecorator<string>(PROJECT_DECORATOR);
      const { sessionId } = request.params;
      assertRecordable(sessionId, clock.now());
      // Answered, or the client has left.
      const over = new Promise<void>((resolve) => reply.raw.once('close', resolve));
      held.add(over);
      void over.then(() => held.delete(over));
      await book.news(projectId, sessionId, over);
      // A connection that is kept would keep the closing server.
      if (closing) reply.header('connection', 'close');
      reply.code(204).headers(book.replyHeaders(projectId, sessionId)).header('cache-control', 'no-store');
    },
  );

  // Before connections are cut.
  door.addHook('preClose', async () => {
    closing = true;
    book.close();
    await Promise.all(held);
  });
}
