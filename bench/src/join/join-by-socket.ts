import { joinSession } from '@playhead/e2e/viewer-client';
import type { Target } from '../cluster/target.ts';

/** Joins a session and leaves it when the first keyframe is there. */
export async function joinBySocket({ gateway, token }: Target, sessionId: string): Promise<void> {
  const viewer = await joinSession(gateway, token, sessionId, 'keyframe');
  try {
    await viewer.until(({ frames }) => frames.some(({ keyframe }) => keyframe));
  } finally {
    viewer.close();
  }
}
