import type { BodyCodec, BodyFormat, SessionStarted, Upload } from '@playhead/schemas';
import { BODY_CODECS, BODY_FORMATS, isWindowId, LIMITS } from '@playhead/schemas';
import { Fields } from './fields.ts';
import { uuidv7TimeMs } from './session-id.ts';
import { isSource } from './start-request.ts';

const ID_SHAPE = '1 to 64 characters of [A-Za-z0-9_-], the first a letter or digit';

/** What the URL of an upload says, checked; the body may still tell format and codec (`auto`). */
export interface UploadFields extends Pick<Upload, 'windowId' | 'uploadId' | 'counter' | 'sentAtMs' | 'goodbye' | 'facts'> {
  readonly format: BodyFormat | 'auto';
  readonly codec: BodyCodec | 'auto';
  /** undefined when the URL does not say. */
  readonly epochMs: number | undefined;
}

/**
 * Reads the query parameters of an upload (UploadQuery of the native door).
 *
 * @param query values are texts; a parameter given twice is a list, and refused
 * @throws {PlayheadError} `invalid_request` with `details.problems`
 */
export function readUploadQuery(query: Readonly<Record<string, unknown>>, nowMs: number): UploadFields {
  const fields = new Fields(query);
  const windowId = fields.required('window', fields.shaped('window', isWindowId, ID_SHAPE));
  const uploadId = fields.required('upload', fields.shaped('upload', isWindowId, ID_SHAPE));
  const read: UploadFields = {
    windowId: windowId ?? '',
    uploadId: uploadId ?? '',
    counter: fields.count('counter') ?? null,
    format: fields.oneOf('format', [...BODY_FORMATS, 'auto']) ?? 'frames',
    codec: fields.oneOf('codec', [...BODY_CODECS, 'auto']) ?? 'auto',
    sentAtMs: fields.timeMs('sentAtMs', nowMs) ?? 0,
    epochMs: fields.timeMs('epochMs', nowMs),
    goodbye: fields.oneOf('goodbye', ['0', '1']) === '1',
    facts: fields.facts('facts', true) ?? {},
  };
  fields.assertNone();
  return read;
}

/**
 * What the frames' times count from; 0 for formats whose times are absolute.
 *
 * @throws {PlayheadError} `invalid_request` when the format needs an epoch and the URL has none
 */
export function epochOf(format: BodyFormat, fields: UploadFields): number {
  if (format === 'frames' || format === 'frame-bundle-le') return 0;
  // The names in an archive may count from an epoch or be absolute; the decoder sees which.
  if (format === 'frame-tar') return fields.epochMs ?? 0;
  if (fields.epochMs !== undefined) return fields.epochMs;
  const missing = new Fields({});
  missing.wrong('epochMs', 'is required for frame-bundle, whose times are offsets from it');
  missing.assertNone();
  return 0;
}

/** The log record of an upload that was accepted: the body stays as received. */
export function uploadRecord(
  place: Pick<Upload, 'projectId' | 'sessionId' | 'receivedAtMs'>,
  fields: UploadFields,
  body: Pick<Upload, 'format' | 'codec' | 'epochMs' | 'body' | 'outline'>,
): Upload {
  const { windowId, uploadId, counter, sentAtMs, goodbye, facts } = fields;
  const track = body.format === 'frames' ? null : 'image';
  return { ...place, windowId, uploadId, counter, sentAtMs, goodbye, facts, track, ...body };
}

/**
 * The announcement of a session that ingest sees for the first time through an upload. Its start is the best that is known:
 * the time in a UUIDv7, the epoch of its pictures, when the upload was sent, when it came.
 */
export function announcement(upload: Upload): SessionStarted {
  const { projectId, sessionId, receivedAtMs, facts } = upload;
  const plausible = (ms: number | undefined): ms is number =>
    ms !== undefined && ms >= LIMITS.timestampMinMs && ms <= receivedAtMs + LIMITS.timestampAheadMaxMs;
  const startedAtMs = [uuidv7TimeMs(sessionId), upload.epochMs, upload.sentAtMs].find(plausible) ?? receivedAtMs;
  const source = Object.hasOwn(facts, 'source') ? facts['source'] : undefined;
  return {
    kind: 'started',
    projectId,
    sessionId,
    startedAtMs,
    source: source !== undefined && isSource(source) ? source : 'unknown',
    userId: (Object.hasOwn(facts, 'userId') ? facts['userId'] : undefined) ?? '',
    facts,
  };
}
