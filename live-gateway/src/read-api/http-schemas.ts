/** JSON schemas of the read routes: they check what comes in, shape what goes out, and describe both in the OpenAPI document. */

const counts = {
  type: 'object',
  additionalProperties: { type: 'integer' },
} as const;

export const sessionInfo = {
  type: 'object',
  required: ['projectId', 'sessionId', 'startedAtMs', 'live'],
  properties: {
    projectId: { type: 'string' },
    sessionId: { type: 'string' },
    userId: { type: 'string' },
    source: { type: 'string' },
    startedAtMs: { type: 'number', description: 'Unix ms' },
    lastActivityMs: { type: 'number', description: 'Unix ms' },
    endedAtMs: { type: ['number', 'null'], description: 'Unix ms; null while the session is open' },
    endReason: { type: ['string', 'null'] },
    live: { type: 'boolean' },
    durationMs: { type: 'number' },
    counts,
    bytes: { type: 'number' },
    windows: { type: 'number' },
    pages: { type: 'array', items: { type: 'string' } },
    facts: { type: 'object', additionalProperties: { type: 'string' } },
  },
} as const;

const error = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        details: { type: 'object', additionalProperties: true },
      },
    },
  },
} as const;

const errors = { 401: error, 404: error, 422: error, 503: error } as const;

const token = { type: 'string', description: 'A viewer token; the cookie playhead_token and Authorization: Bearer do as well' } as const;
const sessionId = { type: 'string', minLength: 1, maxLength: 64 } as const;

export const sessionsSchema = {
  summary: 'Sessions of the project, newest start first',
  tags: ['read'],
  querystring: {
    type: 'object',
    properties: {
      limit: { type: 'integer', minimum: 1, maximum: 500, default: 50 },
      before: { type: 'number', description: 'The `next` of the page before' },
      live: { type: 'boolean' },
      token,
    },
  },
  response: {
    200: {
      type: 'object',
      properties: { sessions: { type: 'array', items: sessionInfo }, next: { type: ['number', 'null'] } },
    },
    ...errors,
  },
} as const;

export const feedSchema = {
  summary: 'Server-sent events: `session` with the session as JSON, whenever one starts, ends or changes',
  tags: ['read'],
  querystring: { type: 'object', properties: { token } },
} as const;

export const sessionSchema = {
  summary: 'One session',
  tags: ['read'],
  params: { type: 'object', properties: { sessionId } },
  querystring: { type: 'object', properties: { token } },
  response: { 200: sessionInfo, ...errors },
} as const;

export const blocksSchema = {
  summary: 'The blocks of a session with their frames, in order of position',
  tags: ['read'],
  params: { type: 'object', properties: { sessionId } },
  querystring: { type: 'object', properties: { token } },
  response: {
    200: {
      type: 'object',
      properties: {
        chainEnd: { type: 'number', description: 'Every upload up to this offset is in the blocks; -1 before the first' },
        gaps: {
          type: 'array',
          description: 'Uploads that the log had dropped before they were stored',
          items: { type: 'object', properties: { firstOffset: { type: 'number' }, lastOffset: { type: 'number' } } },
        },
        blocks: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              id: { type: 'string', description: 'Its bytes never change; when blocks are merged, theirs go and a new one comes' },
              bytes: { type: 'number' },
              firstTimestampMs: { type: 'number' },
              lastTimestampMs: { type: 'number' },
              windows: { type: 'array', items: { type: 'string' } },
              frames: {
                type: 'array',
                items: {
                  type: 'object',
                  properties: {
                    position: { type: 'string', description: '<offset>.<index>' },
                    windowId: { type: 'string' },
                    track: { type: 'string' },
                    keyframe: { type: 'boolean' },
                    timestampMs: { type: 'number' },
                    part: {
                      type: 'object',
                      description: 'Where the frame is a part of a large one',
                      properties: { number: { type: 'number' }, continues: { type: 'boolean' } },
                    },
                    href: { type: 'string', description: 'Where a picture is' },
                    width: { type: 'number' },
                    height: { type: 'number' },
                    bytes: { type: 'number' },
                  },
                },
              },
            },
          },
        },
      },
    },
    ...errors,
  },
} as const;

export const blockSchema = {
  summary: 'The bytes of a block; single ranges are served',
  tags: ['read'],
  params: { type: 'object', properties: { sessionId, blockId: { type: 'string', pattern: '^m?\\d{1,16}$' } } },
  querystring: { type: 'object', properties: { token } },
} as const;

export const frameSchema = {
  summary: 'The payload of one frame that is in a block',
  tags: ['read'],
  params: { type: 'object', properties: { sessionId, position: { type: 'string', pattern: '^\\d{1,16}\\.\\d{1,10}$' } } },
  querystring: { type: 'object', properties: { token } },
} as const;
