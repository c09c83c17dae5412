/**
 * The play-out delay: how far behind "just arrived" a live viewer shows, so that what the network delivers in jerks is
 * shown evenly. It is as small as the uploads allow: it covers the oldest frame of each of the last uploads.
 *
 * A delay is the difference between the viewer's clock and the recorder's time of a frame. The two clocks need not
 * agree: only differences between delays mean anything, and the clocks' offset cancels out.
 */
export interface PlayOut {
  readonly samples: readonly ArrivalSample[];
  /** Viewer's clock minus the time to show; null before the first live upload. */
  readonly delayMs: number | null;
}

interface ArrivalSample {
  readonly atMs: number;
  readonly oldestMs: number;
  readonly newestMs: number;
}

export const PLAY_OUT = {
  /** Room for a late animation frame. */
  marginMs: 30,
  /** An upload counts for this long ... */
  memoryMs: 2_000,
  /** ... and at least until this many newer ones came. */
  samplesMin: 3,
  /** Evenness is worth this much delay and not more: uploads that hold a longer run are shown in jerks. */
  spreadMaxMs: 1_500,
} as const;

export const NO_PLAY_OUT: PlayOut = { samples: [], delayMs: null };

/**
 * Takes note of one live upload.
 *
 * @param atMs viewer's clock when it arrived
 * @param oldestFrameMs recorder's time of its first frame in time
 * @param newestFrameMs recorder's time of its last frame in time
 */
export function observeArrival(playOut: PlayOut, atMs: number, oldestFrameMs: number, newestFrameMs: number): PlayOut {
  const sample = { atMs, oldestMs: atMs - oldestFrameMs, newestMs: atMs - newestFrameMs };
  const all = [...playOut.samples, sample];
  const samples = all.filter((one, index) => one.atMs >= atMs - PLAY_OUT.memoryMs || index >= all.length - PLAY_OUT.samplesMin);
  const least = Math.min(...samples.map((one) => one.newestMs));
  const most = Math.max(...samples.map((one) => one.oldestMs));
  return { samples, delayMs: Math.min(most, least + PLAY_OUT.spreadMaxMs) + PLAY_OUT.marginMs };
}
