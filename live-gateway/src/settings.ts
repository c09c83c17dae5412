import { LIMITS } from '@playhead/schemas';

/** What a test or an installation may set. Every bound has a default from LIMITS or from here. */
export interface LiveGatewaySettings {
  readonly viewersMax: number;
  /** Bytes waiting in one viewer's socket beyond which it lags. */
  readonly viewerBufferBytesMax: number;
  readonly viewerHeartbeatMs: number;
  /** A viewer whose socket takes nothing for this long is cut off. */
  readonly viewerStallMs: number;
  /** How long a viewer may take to say goodbye when the gateway goes away. */
  readonly goodbyeMs: number;
  readonly windowBytesMax: number;
  /** How long a partition is still tailed after its last viewer has left. */
  readonly windowLingerMs: number;
  /** How long what is said of a session (`live`, `ended`) waits for the last offsets before it; they may be holes. */
  readonly endGraceMs: number;
  readonly watchLeaseMs: number;
  /** Sessions that the directory remembers besides the catalog. */
  readonly directorySessionsMax: number;
  /** How long a question for an unknown session waits for facts that are in the log and were not read yet. */
  readonly directoryWaitMs: number;
  /** Listeners of the feed of sessions. */
  readonly feedListenersMax: number;
  /** How often a project with listeners is compared with the catalog. */
  readonly feedRefreshMs: number;
  readonly feedHeartbeatMs: number;
  /** Pause before something that failed is tried again; doubled up to 32 times of it. */
  readonly retryMs: number;
  /** Payload bytes in one message; a larger frame still goes whole. */
  readonly messageBytesMax: number;
  /** Bytes of block lists kept for the read API. */
  readonly blockListBytesMax: number;
}

export const DEFAULT_SETTINGS: LiveGatewaySettings = {
  viewersMax: LIMITS.viewersMax,
  viewerBufferBytesMax: LIMITS.viewerBufferBytesMax,
  viewerHeartbeatMs: LIMITS.viewerHeartbeatMs,
  viewerStallMs: 60_000,
  goodbyeMs: 2_000,
  windowBytesMax: LIMITS.windowBytesMax,
  windowLingerMs: 5_000,
  endGraceMs: 2_000,
  watchLeaseMs: LIMITS.watchLeaseMs,
  directorySessionsMax: 20_000,
  directoryWaitMs: 2_000,
  feedListenersMax: 1_000,
  feedRefreshMs: 3_000,
  feedHeartbeatMs: 15_000,
  retryMs: 100,
  messageBytesMax: 512 * 1024,
  blockListBytesMax: 64 * 1024 * 1024,
};
