import swagger from '@fastify/swagger';
import { BODY_CODECS, BODY_FORMATS, ERROR_CODES, LIMITS, REPLY_HEADERS } from '@playhead/schemas';
import type { FastifyInstance } from 'fastify';
import { FACT_NAME_CHARS_MAX } from './core/fields.ts';

/** The description of the native door: OpenAPI 3.1, made from the schemas of the routes. Tests check real answers against it. */

const SESSION_ID = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$' } as const;
const WINDOW_ID = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$' } as const;
const UNIX_MS = { type: 'integer', minimum: LIMITS.timestampMinMs } as const;
const MS = { type: 'integer', minimum: 1 } as const;

const FACTS = {
  type: 'object',
  maxProperties: LIMITS.factsMax,
  propertyNames: { minLength: 1, maxLength: FACT_NAME_CHARS_MAX },
  additionalProperties: { type: 'string', maxLength: LIMITS.factCharsMax },
} as const;

const SHARED_SCHEMAS = [
  {
    $id: 'StartRequest',
    type: 'object',
    properties: {
      sessionId: { ...SESSION_ID, description: 'Taken over when the recorder brings its own; a UUIDv7 is made otherwise.' },
      windowId: WINDOW_ID,
      userId: { type: 'string', maxLength: LIMITS.factCharsMax },
      source: { ...WINDOW_ID, default: 'web' },
      startedAtMs: { ...UNIX_MS, description: "Unix ms by the recorder's clock." },
      facts: FACTS,
    },
  },
  {
    $id: 'StartAnswer',
    type: 'object',
    required: ['sessionId', 'serverTimeMs', 'config'],
    additionalProperties: false,
    properties: {
      sessionId: SESSION_ID,
      serverTimeMs: UNIX_MS,
      config: {
        type: 'object',
        required: ['flushMs', 'batchBytesMax', 'heartbeatMs', 'bufferBytesMax', 'sessionSilenceMs', 'sessionDurationMaxMs'],
        additionalProperties: false,
        properties: {
          flushMs: MS,
          batchBytesMax: { type: 'integer', minimum: 1 },
          heartbeatMs: MS,
          bufferBytesMax: { type: 'integer', minimum: 1 },
          sessionSilenceMs: MS,
          sessionDurationMaxMs: MS,
        },
      },
    },
  },
  {
    $id: 'ErrorBody',
    type: 'object',
    required: ['error'],
    additionalProperties: false,
    properties: {
      error: {
        type: 'object',
        required: ['code', 'message'],
        additionalProperties: false,
        properties: {
          code: { type: 'string', enum: Object.keys(ERROR_CODES) },
          message: { type: 'string', minLength: 1 },
          details: {
            type: 'object',
            properties: {
              problems: {
                type: 'array',
                description: 'Everything that is wrong with the request (invalid_request).',
                items: {
                  type: 'object',
                  required: ['path', 'message'],
                  additionalProperties: false,
                  properties: { path: { type: 'string' }, message: { type: 'string' } },
                },
              },
              byteOffset: { type: 'integer', minimum: 0, description: 'Where in the inflated body the fault is.' },
              frameIndex: { type: 'integer', minimum: 0, description: 'The frame that is at fault.' },
            },
          },
        },
      },
    },
  },
] as const;

const RETRY_AFTER = { 'retry-after': { type: 'string', pattern: '^[0-9]+$', description: 'Seconds.' } } as const;

function json(description: string, schemaId: string, headers: Readonly<Record<string, object>> = {}): object {
  return { description, headers, content: { 'application/json': { schema: { $ref: `${schemaId}#` } } } };
}

const REFUSALS = {
  401: json('The write key is missing or wrong (unauthorized).', 'ErrorBody'),
  410: json('The session is too old to take uploads (session_expired).', 'ErrorBody'),
  413: json('The body is too large, as sent or decompressed (too_large, inflated_too_large).', 'ErrorBody'),
  422: json('The request or the body has a wrong shape; the code and the details say what and where.', 'ErrorBody'),
  500: json('Something went wrong (internal).', 'ErrorBody'),
  503: json('Nothing was stored; send it again later (log_unavailable, overloaded).', 'ErrorBody', RETRY_AFTER),
} as const;

/** What a recorder hears: {@link REPLY_HEADERS}. */
const HEARD = {
  [REPLY_HEADERS.flushMs]: { type: 'string', pattern: '^[0-9]+$', description: 'Flush this often from now on, ms.' },
  [REPLY_HEADERS.keyframe]: { type: 'string', description: 'A watch id: send a keyframe unless one was already sent for it.' },
  [REPLY_HEADERS.session]: { type: 'string', enum: ['ended'], description: 'The session is over; what comes next is a new one.' },
} as const;

const COMMON = { tags: ['native door'], security: [{ keyParameter: [] }, { keyHeader: [] }] };
const SESSION_PARAMS = { type: 'object', required: ['sessionId'], properties: { sessionId: SESSION_ID } } as const;

export const START_SCHEMA = {
  ...COMMON,
  operationId: 'startSession',
  summary: 'Start a session, and hear how to record it',
  description: 'The JSON may be sent as text/plain, which needs no preflight. An empty body starts a session with defaults.',
  body: {
    content: {
      'application/json': { schema: { $ref: 'StartRequest#' } },
      'text/plain': { schema: { type: 'string', description: 'JSON of a StartRequest.' } },
    },
  },
  response: { 201: json('The session is known to the log.', 'StartAnswer'), ...REFUSALS },
};

export const UPLOAD_SCHEMA = {
  ...COMMON,
  operationId: 'upload',
  summary: 'Hand over one body of frames',
  description: 'Answered once the log has it durably. The same upload may be sent again: duplicates are recognised.',
  params: SESSION_PARAMS,
  querystring: {
    type: 'object',
    required: ['window', 'upload'],
    properties: {
      window: { ...WINDOW_ID, description: 'Window id.' },
      upload: { ...WINDOW_ID, description: 'Upload id: the same on every retry.' },
      counter: { type: 'integer', minimum: 0, description: 'Counter in the window, from 0.' },
      format: { type: 'string', enum: [...BODY_FORMATS, 'auto'], default: 'frames' },
      codec: { type: 'string', enum: [...BODY_CODECS, 'auto'], default: 'auto' },
      sentAtMs: { ...UNIX_MS, description: "Unix ms by the recorder's clock." },
      epochMs: { ...UNIX_MS, description: 'What the times of a frame-bundle count from; required for it.' },
      goodbye: { type: 'integer', enum: [0, 1], default: 0 },
      facts: { type: 'string', description: 'JSON object of facts that changed.' },
    },
  },
  body: {
    content: {
      'application/octet-stream': { schema: { type: 'string', description: `Bytes, at most ${LIMITS.uploadBytesMax}.` } },
      'text/plain': { schema: { type: 'string', description: 'The same bytes, from a beacon.' } },
    },
  },
  response: {
    204: {
      type: 'null',
      description: 'The upload is durable.',
      headers: HEARD,
    },
    ...REFUSALS,
  },
};

export const END_SCHEMA = {
  ...COMMON,
  operationId: 'endSession',
  summary: 'End a session',
  params: SESSION_PARAMS,
  response: { 204: { type: 'null', description: 'The end is durable.' }, ...REFUSALS },
};

export const WATCH_SCHEMA = {
  ...COMMON,
  operationId: 'waitForWatch',
  summary: 'Hear at once when somebody begins to watch',
  description:
    `Held until the session is watched or ended, at most ${LIMITS.watchPollMs / 1_000} s. Without headers in the answer there is ` +
    'nothing to hear yet: ask again. For recorders of unwatched sessions, one request at a time each.',
  params: SESSION_PARAMS,
  response: {
    204: { type: 'null', description: 'What there is to hear.', headers: HEARD },
    401: REFUSALS[401],
    410: REFUSALS[410],
    422: json('The session id has a wrong shape (invalid_request).', 'ErrorBody'),
    500: REFUSALS[500],
    503: json('Too many requests are held already; ask again later (overloaded).', 'ErrorBody', RETRY_AFTER),
  },
};

/** Serves the description of the routes that are registered behind it at GET /openapi.json. */
export async function registerOpenapi(scope: FastifyInstance): Promise<void> {
  await scope.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Playhead ingest', version: '1', description: 'How recorders hand over what they see.' },
      components: {
        securitySchemes: {
          keyParameter: { type: 'apiKey', in: 'query', name: 'key', description: "The project's write key." },
          keyHeader: { type: 'http', scheme: 'bearer', description: "The project's write key." },
        },
      },
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) => (typeof schema['$id'] === 'string' ? schema['$id'] : `schema-${index}`),
    },
  });
  for (const schema of SHARED_SCHEMAS) scope.addSchema(schema);
  scope.get('/openapi.json', { schema: { hide: true } }, async () => scope.swagger());
}
