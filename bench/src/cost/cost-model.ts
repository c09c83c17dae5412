/** What an hour of one session is. */
export interface SessionHour {
  readonly uploads: number;
  /** As sent. */
  readonly bytesUploaded: number;
  /** In objects, before the merge. */
  readonly bytesAtRest: number;
  /** Objects and bytes that the merge leaves of it; shared objects count by their share. */
  readonly merged: { readonly bytes: number; readonly objects: number };
  readonly cpuSeconds: number;
}

/** What an installation has to bear, and how it is set. */
export interface Installation {
  readonly sessionsPerMonth: number;
  readonly sessionMinutes: number;
  readonly partitions: number;
  readonly flushAgeS: number;
  readonly monthsKept: number;
  /** Replays of a session, on average. */
  readonly replays: number;
  /** Load of the busiest hour over that of the mean hour. */
  readonly peak: number;
  readonly isMerged: boolean;
  /** As if every partition had an open session at any time: the most that requests can cost. */
  readonly isAlwaysInUse: boolean;
}

/** $ of one request, of a GB (10^9 bytes) kept for a month, and of a machine for a month. */
export interface Prices {
  /** Also of a LIST. A DELETE is free. */
  readonly put: number;
  readonly get: number;
  readonly storedGb: number;
  readonly machine: number;
  readonly machineCpus: number;
}

/** What a month takes, and costs in $. */
export interface Cost {
  readonly sessionHours: number;
  readonly puts: number;
  readonly gets: number;
  readonly storedGb: number;
  readonly cpuSeconds: number;
  readonly requests: number;
  readonly storage: number;
  /** Machines beyond the first. */
  readonly compute: number;
  readonly total: number;
}

const MONTH_S = 730 * 3600;
/** Of `processors/src/settings.ts`: a flush at these bytes, a checkpoint at this age of the last one. */
const FLUSH_BYTES_MAX = 100 * 1024 * 1024;
const CHECKPOINT_AGE_S = 60;
/** A checkpoint is put, and the old ones are looked for. */
const PUTS_OF_CHECKPOINT = 2;
/** Larger objects are put in parts, which a request begins and another one ends. */
const PART_BYTES = 16 * 1024 * 1024;
/** Of a CPU that is used as far as it should be. */
const CPU_SHARE_MAX = 0.7;

/** A month of an installation whose sessions begin at random times, spread evenly over the month. */
export function costOf(hour: SessionHour, installation: Installation, prices: Prices): Cost {
  const { sessionsPerMonth, sessionMinutes, monthsKept, replays, peak, isMerged } = installation;
  const sessionHours = (sessionsPerMonth * sessionMinutes) / 60;
  const { flushes, flushEveryS, checkpoints } = flushesOf(hour, installation);
  const blocks = sessionsPerMonth * ((sessionMinutes * 60) / flushEveryS + 1);
  const merge = isMerged ? { puts: sessionHours * hour.merged.objects, gets: blocks } : { puts: 0, gets: 0 };
  const replayed = replays * (isMerged ? sessionsPerMonth : blocks);
  const puts = flushes * putsOf((sessionHours * hour.bytesAtRest) / flushes) + checkpoints * PUTS_OF_CHECKPOINT + merge.puts;
  // The projection reads each object once, for its signals.
  const gets = flushes + replayed + merge.gets;
  const storedGb = (sessionHours * monthsKept * (isMerged ? hour.merged.bytes : hour.bytesAtRest)) / 1e9;
  const cpuSeconds = sessionHours * hour.cpuSeconds;
  const machines = Math.ceil((cpuSeconds * peak) / (MONTH_S * prices.machineCpus * CPU_SHARE_MAX));
  const requests = puts * prices.put + gets * prices.get;
  const storage = storedGb * prices.storedGb;
  const compute = Math.max(0, machines - 1) * prices.machine;
  return { sessionHours, puts, gets, storedGb, cpuSeconds, requests, storage, compute, total: requests + storage + compute };
}

/** Flushes of a month, how far they are apart in a partition that is in use, and the checkpoints between them. */
function flushesOf(
  hour: SessionHour,
  { sessionsPerMonth, sessionMinutes, partitions, flushAgeS, isAlwaysInUse }: Installation,
): { readonly flushes: number; readonly flushEveryS: number; readonly checkpoints: number } {
  const openInPartition = (sessionsPerMonth * sessionMinutes * 60) / MONTH_S / partitions;
  const inUse = isAlwaysInUse ? 1 : 1 - Math.exp(-openInPartition);
  const usedS = partitions * inUse * MONTH_S;
  // A session that ends has its last uploads flushed at once, with all that waits beside them.
  const endsPerS = sessionsPerMonth / usedS;
  const untilEndS = (1 - Math.exp(-endsPerS * flushAgeS)) / endsPerS;
  const bytesPerS = (openInPartition / inUse) * (hour.bytesUploaded / 3600);
  const flushEveryS = Math.min(untilEndS, FLUSH_BYTES_MAX / bytesPerS);
  return { flushes: usedS / flushEveryS, flushEveryS, checkpoints: usedS / Math.max(flushEveryS, CHECKPOINT_AGE_S) };
}

function putsOf(objectBytes: number): number {
  return objectBytes <= PART_BYTES ? 1 : Math.ceil(objectBytes / PART_BYTES) + 2;
}
