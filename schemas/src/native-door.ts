import type { BodyCodec, BodyFormat } from './records/types.ts';

/**
 * The native door: what a recorder of our own sends to ingest, and what it hears back.
 *
 *     POST /v1/sessions                      StartRequest  → 201 StartAnswer
 *     POST /v1/sessions/:sessionId/uploads   body bytes, UploadQuery in the URL → 204 once durable
 *     POST /v1/sessions/:sessionId/end       → 204 once durable
 *     GET  /v1/sessions/:sessionId/watch     → 204 once the session is watched or ended, or after LIMITS.watchPollMs
 *
 * The write key is `?key=` or `Authorization: Bearer`. A body may be `application/octet-stream` or `text/plain`: the latter
 * needs no CORS preflight, so a page's last upload can leave as a beacon.
 */
export interface StartRequest {
  /** Taken over when the recorder brings its own; a UUIDv7 is made otherwise. */
  readonly sessionId?: string;
  readonly windowId?: string;
  readonly userId?: string;
  /** `web` (default), `phone`, `import`. */
  readonly source?: string;
  /** Unix ms by the recorder's clock. */
  readonly startedAtMs?: number;
  readonly facts?: Readonly<Record<string, string>>;
}

/** What the recorder does, decided by the project's settings. */
export interface RecorderConfig {
  readonly flushMs: number;
  readonly batchBytesMax: number;
  readonly heartbeatMs: number;
  readonly bufferBytesMax: number;
  readonly sessionSilenceMs: number;
  readonly sessionDurationMaxMs: number;
}

export interface StartAnswer {
  readonly sessionId: string;
  readonly serverTimeMs: number;
  readonly config: RecorderConfig;
}

/** Query parameters of an upload. */
export interface UploadQuery {
  readonly key?: string;
  /** Window id. */
  readonly window: string;
  /** Upload id: the same on every retry. */
  readonly upload: string;
  /** Counter in the window, from 0. */
  readonly counter?: number;
  /** `auto` sniffs the phones' formats. Default `frames`. */
  readonly format?: BodyFormat | 'auto';
  /** `auto` looks for gzip's magic. Default `auto`. */
  readonly codec?: BodyCodec | 'auto';
  readonly sentAtMs?: number;
  readonly epochMs?: number;
  readonly goodbye?: 0 | 1;
  /** JSON object of facts that changed. */
  readonly facts?: string;
}

/** Headers on the answers to an upload and to a watch request. Exposed through CORS. */
export const REPLY_HEADERS = {
  /** Flush this often from now on, ms. Absent: as configured. */
  flushMs: 'playhead-flush-ms',
  /** A watch id: send a keyframe unless one was already sent for this id. */
  keyframe: 'playhead-keyframe',
  /** `ended`: the session is over; what comes next belongs to a new one. */
  session: 'playhead-session',
} as const;
