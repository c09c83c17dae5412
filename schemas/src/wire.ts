import type { PositionedFrame } from './frame.ts';
import type { Offset } from './ids.ts';
import type { EndReason, SessionCounts } from './records/types.ts';

/**
 * What the live gateway sends to a viewer over `GET /v1/sessions/:sessionId/live?from=...` (WebSocket).
 *
 * Text messages are JSON {@link ControlMessage}s; binary messages are {@link FramesMessage}s. A viewer sends nothing:
 * it asks with `from` (`start`, `keyframe`, or the position after which to continue) and reconnects to ask again.
 */
export const WIRE_VERSION = 1;

/** Where a join begins: everything; the last keyframe of each window before the live edge; or behind a position. */
export type JoinFrom = 'start' | 'keyframe' | { readonly after: import('./position.ts').Position };

/** What the stream is doing; the player adds states of its own (connecting, paused, reconnecting, idle). */
export type StreamState = 'replaying' | 'catching-up' | 'live' | 'ended';

/** One session as lists and players show it: the JSON of `GET /v1/sessions` and of `welcome`. Times are Unix ms. */
export interface SessionInfo {
  readonly projectId: string;
  readonly sessionId: string;
  /** As the site named it, at the start or later; '' when it did not. */
  readonly userId: string;
  readonly source: string;
  readonly startedAtMs: number;
  /** Latest frame or receipt known. */
  readonly lastActivityMs: number;
  /** null while the session is open. */
  readonly endedAtMs: number | null;
  readonly endReason: EndReason | null;
  readonly live: boolean;
  /** From the first to the last frame; while no frame is known, from the start to the end or the last activity. Never negative. */
  readonly durationMs: number;
  readonly counts: SessionCounts;
  readonly bytes: number;
  readonly windows: number;
  readonly pages: readonly string[];
  readonly facts: Readonly<Record<string, string>>;
}

export type ControlMessage =
  /** First message of every connection. */
  | { readonly type: 'welcome'; readonly version: number; readonly session: SessionInfo; readonly serverTimeMs: number }
  | { readonly type: 'state'; readonly state: StreamState }
  /** The viewer was too slow: what follows comes from history again, behind the last position it got. */
  | { readonly type: 'lagged'; readonly position: string }
  /** Frames that are lost between two positions, and why. */
  | { readonly type: 'gap'; readonly firstOffset: Offset; readonly lastOffset: Offset; readonly reason: 'trimmed' | 'unreadable' }
  /** The session is over. Late uploads may still follow; the stream stays open for them. */
  | { readonly type: 'ended'; readonly reason: EndReason; readonly endedAtMs: number }
  /** Every LIMITS.viewerHeartbeatMs: the connection lives, and this is what the newest upload of the session was. */
  | { readonly type: 'heartbeat'; readonly serverTimeMs: number; readonly lastReceivedAtMs: number };

/**
 * Frames of one upload, or a run of frames of one block, in order of position.
 *
 *     bytes v1 (big-endian):
 *     ┌──────────┬────────────┬──────────────────┬──────────────┬─────────────────┬───────────────┐
 *     │ u8 ver=1 │ u8 type=1  │ f64 receivedAtMs │ f64 sentAtMs │ u16 windows     │ u32 frames    │
 *     ├──────────┴────────────┴──────────────────┴──────────────┴─────────────────┴───────────────┤
 *     │ per window: u8 length, ASCII id                                                             │
 *     ├─────────────────────────────────────────────────────────────────────────────────────────────┤
 *     │ per frame: u64 offset, u32 index, u16 window, u8 track, u8 flags (flagsOf),                  │
 *     │            f64 timestampMs, u32 length, payload                                              │
 *     └─────────────────────────────────────────────────────────────────────────────────────────────┘
 */
export interface FramesMessage {
  /** Ingest's clock when the upload came; 0 for history. With `sentAtMs` it tells the recorder's clock offset. */
  readonly receivedAtMs: number;
  /** Recorder's clock when the upload left; 0 for history. */
  readonly sentAtMs: number;
  readonly frames: readonly PositionedFrame[];
}

/** WebSocket close codes (4000–4999 are an application's own, RFC 6455 section 7.4.2). The reason text is the code's name. */
export const CLOSE_CODES = {
  going_away: 1001,
  internal: 1011,
  invalid_request: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  session_not_found: 4404,
  position_gone: 4410,
  overloaded: 4503,
} as const;
export type CloseReason = keyof typeof CLOSE_CODES;
