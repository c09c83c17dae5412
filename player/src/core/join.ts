import type { SessionInfo } from '@playhead/schemas';

/** Where a stream begins: with everything, or with the last keyframe of each window and track. */
export type JoinMode = 'start' | 'keyframe';

/**
 * Where what lies before the live edge comes from. Pictures are addressable one by one, so of them the index is enough, and the moments
 * that are shown are fetched; a page is replayed from its events, and needs all of them: a stream of its own brings them.
 */
export type HistoryFrom = 'index' | 'stream';

export function historyFrom(session: Pick<SessionInfo, 'source' | 'counts'>): HistoryFrom {
  const { images, keyframes, inputs } = session.counts;
  if (images === 0) return 'stream';
  const onlyPictures = session.source === 'phone' || (keyframes <= images && inputs === 0 && session.source !== 'web');
  return onlyPictures ? 'index' : 'stream';
}
