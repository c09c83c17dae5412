import type { SessionInfo } from '@playhead/schemas';

/**
 * How to join a session. Pictures are addressable one by one, so a viewer of pictures takes the live edge only and
 * fetches the moments that it shows; a page is replayed from its events, and needs all of them.
 */
export type JoinMode = 'start' | 'keyframe';

export function joinMode(session: Pick<SessionInfo, 'source' | 'counts'> | null): JoinMode {
  if (session === null) return 'start';
  const { images, keyframes, inputs } = session.counts;
  if (images === 0) return 'start';
  const onlyPictures = session.source === 'phone' || (keyframes <= images && inputs === 0 && session.source !== 'web');
  return onlyPictures ? 'keyframe' : 'start';
}
