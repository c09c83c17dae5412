import type { Clock, EventLog, Logger, Projects } from '@playhead/ports';
import type { RecorderConfig } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';

/** What ingest needs from outside. */
export interface IngestDeps {
  readonly log: EventLog;
  readonly projects: Projects;
  readonly clock: Clock;
  /** `count` random bytes that nobody can guess. */
  readonly randomBytes: (count: number) => Uint8Array;
  readonly logger: Logger;
  readonly config?: IngestConfig;
}

/** Settings that differ from {@link DEFAULTS}. */
export type IngestConfig = Partial<Omit<IngestSettings, 'recorder'>> & { readonly recorder?: Partial<RecorderConfig> };

export interface IngestSettings {
  /** What recorders are told when a session starts. */
  readonly recorder: RecorderConfig;
  /** One body as sent. */
  readonly uploadBytesMax: number;
  /** All bodies that this process holds on their way to the log. */
  readonly inFlightBytesMax: number;
  /** Bodies that are inflated and checked at the same time: each may take LIMITS.uploadInflatedBytesMax of memory for a moment. */
  readonly checksMax: number;
  /** A body may pause for so long ... */
  readonly bodyIdleMs: number;
  /** ... and take so long altogether. */
  readonly bodyTotalMs: number;
  /** After this the log counts as unavailable for one append. */
  readonly appendTimeoutMs: number;
  /** How long the rest of a refused body is read and thrown away, so that the client can hear the answer. */
  readonly lingerMs: number;
  /** Sessions remembered as announced, and as ended. */
  readonly sessionsMax: number;
  /** How long a watch request is held ... */
  readonly watchPollMs: number;
  /** ... and how many are at a time. */
  readonly watchPollsMax: number;
  /** Pause before a reader of the log that failed tries again. */
  readonly tailPauseMs: number;
}

export const DEFAULTS: IngestSettings = {
  recorder: {
    flushMs: LIMITS.recorderFlushMs,
    batchBytesMax: LIMITS.recorderBatchBytesMax,
    heartbeatMs: LIMITS.recorderHeartbeatMs,
    bufferBytesMax: LIMITS.recorderBufferBytesMax,
    sessionSilenceMs: LIMITS.sessionSilenceMs,
    sessionDurationMaxMs: LIMITS.sessionDurationMaxMs,
  },
  uploadBytesMax: LIMITS.uploadBytesMax,
  inFlightBytesMax: LIMITS.ingestInFlightBytesMax,
  checksMax: 4,
  bodyIdleMs: 15_000,
  bodyTotalMs: 120_000,
  appendTimeoutMs: 30_000,
  lingerMs: 2_000,
  sessionsMax: 50_000,
  watchPollMs: LIMITS.watchPollMs,
  watchPollsMax: LIMITS.watchPollsMax,
  tailPauseMs: 1_000,
};

export function settingsOf(config: IngestConfig = {}): IngestSettings {
  return { ...DEFAULTS, ...config, recorder: { ...DEFAULTS.recorder, ...config.recorder } };
}
