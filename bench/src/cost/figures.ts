import type { Installation, Prices, SessionHour } from './cost-model.ts';

/** What is tried of the setting `--flush-age-ms`, s: the default, and two that make fewer objects. */
export const FLUSH_AGES_S = [10, 60, 300] as const;
export type FlushAgeS = (typeof FLUSH_AGES_S)[number];

/** What a session shows: pages as a browser's recorder sends them, or a picture a second. */
export const KINDS = ['pages', 'pictures'] as const;
export type Kind = (typeof KINDS)[number];

interface Figures extends Omit<SessionHour, 'bytesAtRest'> {
  readonly bytesAtRest: Readonly<Record<FlushAgeS, number>>;
}

/**
 * Of the ingest process, s per upload: 1.17 per 1,000 of 20 KB and 6.9 per 1,000 of 200 KB, kafkajs (`npm run bench -- cluster-uploads`, in
 * docs/operations.md); between them in proportion to bytes.
 */
function ingestCpuSeconds(uploadBytes: number): number {
  const perByte = (6.9 - 1.17) / 180_000;
  return (1.17 + Math.max(0, uploadBytes - 20_000) * perByte) / 1000;
}

/** Of the compactor, s per GB of bundles, and less of events: `npm run bench -- compaction`, rounded up. */
const COMPACTION_CPU_S_PER_GB = 10;

/** Uploads, bytes, and the merge's bytes and objects: `npm run bench -- session-hour`. */
const FIGURES: Readonly<Record<Kind, Figures>> = {
  pages: {
    uploads: 696,
    bytesUploaded: 1_000_598,
    bytesAtRest: { 10: 1_053_967, 60: 1_044_626, 300: 1_043_005 },
    merged: { bytes: 564_432, objects: 1 },
    // 7 MB of events as JSON.
    cpuSeconds: 696 * ingestCpuSeconds(1_438) + 0.007 * COMPACTION_CPU_S_PER_GB,
  },
  pictures: {
    uploads: 1_200,
    bytesUploaded: 51_133_308,
    bytesAtRest: { 10: 69_910_651, 60: 69_900_594, 300: 69_898_655 },
    merged: { bytes: 42_055_233, objects: 1 },
    cpuSeconds: 1_200 * ingestCpuSeconds(42_611) + 0.051 * COMPACTION_CPU_S_PER_GB,
  },
};

/** An hour of a session as it is stored with flushes of that age. */
export function hourOf(kind: Kind, flushAgeS: FlushAgeS): SessionHour {
  const { bytesAtRest, ...hour } = FIGURES[kind];
  return { ...hour, bytesAtRest: bytesAtRest[flushAgeS] };
}

/** Assumed of every installation. */
export const MINUTES = 5;
export const MONTHS_KEPT = 1;
export const REPLAYS = 0.1;
export const PEAK = 4;

/** Sessions a month, and partitions: some for growth, and the fewest that the middle one can do with. */
export const LOADS: readonly (Pick<Installation, 'sessionsPerMonth' | 'partitions'> & { readonly hasGoal: boolean })[] = [
  { sessionsPerMonth: 1_000, partitions: 4, hasGoal: false },
  { sessionsPerMonth: 25_000, partitions: 6, hasGoal: true },
  { sessionsPerMonth: 25_000, partitions: 1, hasGoal: true },
  { sessionsPerMonth: 1_000_000, partitions: 12, hasGoal: false },
];

/** Of a month with 25,000 sessions, $, beyond the first machine. */
export const GOAL = 0.5;

/** AWS, us-east-1, list prices as published in June 2026: S3 Standard, requests and first tier of storage; EC2 m7g.large on demand, 730 h. */
export const PRICES: Prices = { put: 0.005 / 1000, get: 0.0004 / 1000, storedGb: 0.023, machine: 0.0816 * 730, machineCpus: 2 };

/** The same provider's disks: EBS gp3, $ a GB and month. */
export const DISK: Pick<Prices, 'storedGb'> = { storedGb: 0.08 };
