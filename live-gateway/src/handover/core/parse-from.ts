import type { JoinFrom } from '@playhead/schemas';
import { parsePosition } from '@playhead/schemas';

/** What `?from=` asks for; undefined for what is none of the three. */
export function parseFrom(text: string | undefined): JoinFrom | undefined {
  if (text === undefined || text === 'start') return 'start';
  if (text === 'keyframe') return 'keyframe';
  const after = parsePosition(text);
  return after === undefined ? undefined : { after };
}
