/**
 * Lag: how long ago, by the server's clock, the newest displayed frame happened at the moment when it was displayed.
 *
 * Two clocks have to be told: the server's by the viewer (from messages that carry the server's time; the one that
 * travelled fastest is nearest to the truth), and the recorder's by the server (receipt minus departure of an upload,
 * again the fastest one).
 */
export interface LagGauge {
  /** Server's clock minus the viewer's, of the last messages. */
  readonly serverOffsets: readonly number[];
  /** Server's clock minus the recorder's, of the last uploads. */
  readonly recorderOffsets: readonly number[];
  /** The last measured lag; null before the first. */
  readonly lagMs: number | null;
}

const OFFSETS_KEPT = 30;

export const NO_LAG: LagGauge = { serverOffsets: [], recorderOffsets: [], lagMs: null };

/** A message told the server's time. */
export function observeServerTime(gauge: LagGauge, serverTimeMs: number, viewerMs: number): LagGauge {
  return { ...gauge, serverOffsets: [...gauge.serverOffsets, serverTimeMs - viewerMs].slice(-OFFSETS_KEPT) };
}

/** A live upload told when it left and when it was received. Those that do not know (0) tell nothing. */
export function observeUpload(gauge: LagGauge, receivedAtMs: number, sentAtMs: number): LagGauge {
  if (receivedAtMs <= 0 || sentAtMs <= 0) return gauge;
  return { ...gauge, recorderOffsets: [...gauge.recorderOffsets, receivedAtMs - sentAtMs].slice(-OFFSETS_KEPT) };
}

/** A frame newer than all before was displayed now. */
export function observeDisplay(gauge: LagGauge, timestampMs: number, viewerMs: number): LagGauge {
  if (gauge.serverOffsets.length === 0) return gauge;
  const recorderOffset = gauge.recorderOffsets.length > 0 ? Math.min(...gauge.recorderOffsets) : 0;
  const happenedMs = timestampMs + recorderOffset;
  const serverNowMs = viewerMs + Math.max(...gauge.serverOffsets);
  return { ...gauge, lagMs: Math.max(0, serverNowMs - happenedMs) };
}
