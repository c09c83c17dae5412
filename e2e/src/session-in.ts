import { partitionOf, uuidv7 } from '@playhead/schemas';

/** A new session id that belongs to a given partition of `partitions`. @param tenBytes random ones, other ones at each call */
export function sessionIn(partition: number, partitions: number, tenBytes: () => Uint8Array): string {
  for (;;) {
    const sessionId = uuidv7(Date.now(), tenBytes());
    if (partitionOf(sessionId, partitions) === partition) return sessionId;
  }
}
