import { LIMITS } from '@playhead/schemas';

/** Browsers let a page that is going away keep 64 KiB of request bodies in flight, all together; some of it is left to the site. */
export const BEACON_BYTES_MAX = 56 * 1024;

/** What a tab keeps for its next page load, in characters of sessionStorage (which is 5 MB for the whole origin, the site's part included). */
export const KEPT_CHARS_MAX = 1024 * 1024;

/** Raw bytes that are still compressed while the page goes away: about 50 ms on a phone. More would make the next page wait. */
export const LEAVING_BYTES_MAX = 2 * 1024 * 1024;

export interface Leaving {
  /** Sent as beacons, in this order. */
  readonly beacons: readonly number[];
  /** Kept for the next page load. */
  readonly kept: readonly number[];
  /** Fit neither way. */
  readonly dropped: readonly number[];
}

/**
 * Divides what has not been acknowledged when the page goes. Order is kept: once one does not fit as a beacon, those behind
 * it do not overtake it by being beacons either.
 *
 * @param sizes bytes of the bodies, oldest first
 */
export function planLeaving(sizes: readonly number[], beaconBytesMax = BEACON_BYTES_MAX, keptCharsMax = KEPT_CHARS_MAX): Leaving {
  const beacons: number[] = [];
  const kept: number[] = [];
  const dropped: number[] = [];
  let beaconBytes = 0;
  let keptChars = 0;
  sizes.forEach((size, index) => {
    const chars = Math.ceil(size / 3) * 4;
    if (kept.length === 0 && dropped.length === 0 && beaconBytes + size <= beaconBytesMax) {
      beacons.push(index);
      beaconBytes += size;
    } else if (dropped.length === 0 && keptChars + chars <= keptCharsMax) {
      kept.push(index);
      keptChars += chars;
    } else {
      dropped.push(index);
    }
  });
  return { beacons, kept, dropped };
}

/** An upload as a tab keeps it for its next page load. */
export interface KeptUpload {
  readonly sessionId: string;
  readonly windowId: string;
  readonly counter: number;
  readonly formedAtMs: number;
  /** Base64 of the compressed body. */
  readonly body: string;
}

/** Reads what an earlier page of the tab kept, without what is malformed or older than duplicates are recognised. */
export function parseKept(text: string | null, nowMs: number): KeptUpload[] {
  if (text === null) return [];
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(values)) return [];
  return values.filter((value: unknown): value is KeptUpload => {
    if (typeof value !== 'object' || value === null) return false;
    const kept = value as Partial<KeptUpload>;
    return (
      typeof kept.sessionId === 'string' &&
      typeof kept.windowId === 'string' &&
      typeof kept.body === 'string' &&
      Number.isSafeInteger(kept.counter) &&
      typeof kept.formedAtMs === 'number' &&
      nowMs - kept.formedAtMs < LIMITS.dedupeHorizonMs
    );
  });
}
