import type { EventLog } from '@playhead/ports';
import type { Partition, SessionEnded } from '@playhead/schemas';
import type { Runtime } from '../runtime/retry.ts';
import { untilDone } from '../runtime/retry.ts';
import type { Tail } from '../runtime/tail.ts';
import type { ProcessorSettings } from '../settings.ts';
import type { Lifecycle } from './core/lifecycle.ts';

/** Ends that are appended at the same time: the log commits them together. */
const APPENDS_AT_ONCE = 64;

export interface LifecycleDeps extends Runtime {
  readonly log: EventLog;
  readonly settings: ProcessorSettings;
}

export interface LifecycleTails {
  readonly uploads: Tail<'playhead.uploads'>;
  readonly sessions: Tail<'playhead.sessions'>;
}

/** Takes over the facts that wait, and tells each end. True when there was something. */
export function takeFacts(lifecycle: Lifecycle, tail: Tail<'playhead.sessions'>, onEnd: (end: SessionEnded) => void): boolean {
  const item = tail.take();
  if (item === null) return false;
  if (item.kind === 'gone') return true;
  for (const { record } of item.records) {
    if (record === null) continue;
    lifecycle.fact(record);
    if (record.kind === 'ended') onEnd(record);
  }
  return true;
}

/**
 * Ends the sessions that are over, and answers how many. Silence proves something only where everything was read: while
 * the compactor is behind, or the log or the block store is slow, no session ends.
 *
 * @throws {GivenUp} when the signal aborts; `log_unavailable` when the log cannot tell its end
 */
export async function endSessions(
  deps: LifecycleDeps,
  lifecycle: Lifecycle,
  tails: LifecycleTails,
  partition: Partition,
  signal: AbortSignal,
): Promise<number> {
  const { log, settings, clock } = deps;
  const atMs = clock.now();
  if (lifecycle.over(atMs).length === 0) return 0;
  const [uploads, sessions] = await Promise.all([log.bounds('playhead.uploads', partition), log.bounds('playhead.sessions', partition)]);
  const isCurrent = [tails.uploads.isAtEnd(uploads.next, settings.holeWaitMs), tails.sessions.isAtEnd(sessions.next, settings.holeWaitMs)];
  if (isCurrent.includes(false)) return 0;
  const over = lifecycle.over(atMs);
  for (let at = 0; at < over.length; at += APPENDS_AT_ONCE) {
    await Promise.all(
      over.slice(at, at + APPENDS_AT_ONCE).map(async (end) => {
        const append = (): Promise<unknown> => log.append('playhead.sessions', partition, end.sessionId, end);
        await untilDone(deps, `append the end of a session of partition ${partition}`, append, { ...settings, signal });
        lifecycle.fact(end);
      }),
    );
  }
  return over.length;
}
