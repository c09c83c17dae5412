import type { SessionStarted } from '@playhead/schemas';
import { isSessionId, isWindowId, LIMITS, PlayheadError } from '@playhead/schemas';
import { Fields, isObject } from './fields.ts';

/**
 * Bytes of a start request: what the allowed facts and the user's name can take in JSON, where a character is at most six
 * bytes (`\u0000`), and room for the other fields.
 */
export const START_BYTES_MAX = (LIMITS.factsMax + 2) * LIMITS.factCharsMax * 6;

/** What a start request says, checked. */
export interface Start {
  /** undefined: ingest makes one. */
  readonly sessionId: string | undefined;
  readonly userId: string;
  readonly source: string;
  readonly startedAtMs: number;
  readonly facts: Readonly<Record<string, string>>;
}

/**
 * Reads a start request: a JSON object, or nothing at all, where everything has a default.
 *
 * @param body as received; JSON whatever the content type says (a beacon sends `text/plain`)
 * @throws {PlayheadError} `invalid_request` with `details.problems`
 */
export function readStart(body: Uint8Array, nowMs: number): Start {
  const fields = new Fields(parseObject(body));
  const sessionId = fields.shaped('sessionId', isSessionId, '8 to 64 characters of [A-Za-z0-9_-], the first a letter or digit');
  fields.shaped('windowId', isWindowId, '1 to 64 characters of [A-Za-z0-9_-], the first a letter or digit');
  const start: Start = {
    sessionId,
    userId: fields.text('userId', LIMITS.factCharsMax) ?? '',
    source: fields.shaped('source', isSource, SOURCE_SHAPE) ?? 'web',
    startedAtMs: fields.timeMs('startedAtMs', nowMs) ?? nowMs,
    facts: fields.facts('facts', false) ?? {},
  };
  fields.assertNone();
  return start;
}

/** Where a session comes from: `web`, `phone`, `import`, ...; 1 to 64 characters of `[A-Za-z0-9_-]`. */
export const isSource = isWindowId;
const SOURCE_SHAPE = '1 to 64 characters of [A-Za-z0-9_-], the first a letter or digit';

export function startedFact(projectId: string, sessionId: string, start: Start): SessionStarted {
  const { startedAtMs, source, userId, facts } = start;
  return { kind: 'started', projectId, sessionId, startedAtMs, source, userId, facts };
}

function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw wrongBody('is not JSON');
  }
  if (!isObject(value)) throw wrongBody('is not a JSON object');
  return value;
}

function wrongBody(message: string): PlayheadError {
  return new PlayheadError('invalid_request', `The body ${message}.`, { details: { problems: [{ path: 'body', message }] } });
}
