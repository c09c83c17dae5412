import { LIMITS, REPLY_HEADERS } from '@playhead/schemas';

/**
 * What a recorder hears with the answer to an upload.
 *
 * @param newestWatch the newest live watch of the session; undefined when nobody watches
 * @param ended whether the session is known to be over
 */
export function replyHeaders(newestWatch: string | undefined, ended: boolean): Readonly<Record<string, string>> {
  return {
    ...(newestWatch === undefined
      ? {}
      : { [REPLY_HEADERS.flushMs]: String(LIMITS.recorderWatchedFlushMs), [REPLY_HEADERS.keyframe]: newestWatch }),
    ...(ended ? { [REPLY_HEADERS.session]: 'ended' } : {}),
  };
}
