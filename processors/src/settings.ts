import { LIMITS } from '@playhead/schemas';

/** What may be tuned. Times are ms; bytes are bytes in memory (inflated). */
export interface ProcessorSettings {
  /** A flush is made when its oldest upload has waited this long ... */
  readonly flushAgeMs: number;
  /** ... or this long after a session with uploads in it is known to have ended: somebody may be looking at its counts ... */
  readonly flushEndedMs: number;
  /** ... or when it holds this many inflated bytes. */
  readonly flushBytesMax: number;
  /** What all partitions of this process may hold together; beyond it the largest one flushes and the others wait. */
  readonly bufferBytesMax: number;
  /** A checkpoint is written after so many flushes: a start reads at most about as many flush records. */
  readonly checkpointEveryFlushes: number;
  /** ... and when the last one is this old and something was flushed since. */
  readonly checkpointEveryMs: number;
  /** How long the last flush of a stop may take; beyond it the uploads stay in the log for the next start. */
  readonly stopFlushMs: number;
  /** A session ends after this silence of its last window. */
  readonly sessionSilenceMs: number;
  /** A window that said goodbye is gone after this silence. */
  readonly windowGoodbyeMs: number;
  /** How often the lifecycle looks for sessions that are over. */
  readonly lifecycleTickMs: number;
  /** For how long after its last upload a session's marks are kept. */
  readonly dedupeHorizonMs: number;
  /** How long the projection gathers facts before it hands them to the catalog. */
  readonly factsGatherMs: number;
  /** A session is merged when it ended this long ago: what its recorders still hold comes in the meantime. */
  readonly mergeAfterMs: number;
  /** A merge is made when the session that waits for it longest ended this long ago ... */
  readonly mergeAgeMs: number;
  /** ... or when what waits has so many stored bytes. */
  readonly mergeBytesMin: number;
  /** A merge takes so many stored bytes of several sessions ... */
  readonly mergeBytesMax: number;
  /** ... or so many of a single one, or one larger block: that is held in memory. */
  readonly mergeSessionBytesMax: number;
  /** How often a partition looks for what can be merged. */
  readonly mergeTickMs: number;
  /** How often a partition looks for objects that nobody refers to. */
  readonly sweepEveryMs: number;
  /** For how long the objects of flushes stay after their blocks were replaced: readers have lists of before. */
  readonly sweepGraceMs: number;
  /** First and longest pause between attempts at something that failed. */
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  /** A reader below the end of its partition that got nothing for this long stands before a hole: nothing is there to wait for. */
  readonly holeWaitMs: number;
}

export const DEFAULT_SETTINGS: ProcessorSettings = {
  flushAgeMs: LIMITS.flushAgeMs,
  flushEndedMs: 1_000,
  flushBytesMax: LIMITS.flushBytesMax,
  bufferBytesMax: 3 * LIMITS.flushBytesMax,
  checkpointEveryFlushes: 32,
  checkpointEveryMs: 60_000,
  stopFlushMs: 10_000,
  sessionSilenceMs: LIMITS.sessionSilenceMs,
  windowGoodbyeMs: LIMITS.windowGoodbyeMs,
  lifecycleTickMs: 1_000,
  dedupeHorizonMs: LIMITS.dedupeHorizonMs,
  factsGatherMs: 100,
  mergeAfterMs: 10 * 60_000,
  mergeAgeMs: 60 * 60_000,
  mergeBytesMin: 16 * 1024 * 1024,
  mergeBytesMax: 64 * 1024 * 1024,
  mergeSessionBytesMax: LIMITS.mergedSessionBytesMax,
  mergeTickMs: 30_000,
  sweepEveryMs: 10 * 60_000,
  sweepGraceMs: 60 * 60_000,
  retryFirstMs: 100,
  retryMaxMs: 10_000,
  holeWaitMs: 5_000,
};
