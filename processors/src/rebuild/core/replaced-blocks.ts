import type { Flush, FlushBlock, Merge, Offset } from '@playhead/schemas';
import { sessionKey } from '../../core/session-key.ts';

/** Which blocks of a partition's flushes the valid merges have replaced. Memory: two numbers for each merged block. */
export class ReplacedBlocks {
  readonly #stretches = new Map<string, { readonly firstFlush: Offset; readonly lastFlush: Offset }[]>();

  add({ blocks }: Pick<Merge, 'blocks'>): void {
    for (const { projectId, sessionId, firstFlush, lastFlush } of blocks) {
      const key = sessionKey(projectId, sessionId);
      const stretches = this.#stretches.get(key) ?? [];
      this.#stretches.set(key, stretches);
      stretches.push({ firstFlush, lastFlush });
    }
  }

  /** The blocks of a flush that readers still get. */
  left({ lastOffset, blocks }: Pick<Flush, 'lastOffset' | 'blocks'>): readonly FlushBlock[] {
    return blocks.filter(({ projectId, sessionId }) => {
      const stretches = this.#stretches.get(sessionKey(projectId, sessionId)) ?? [];
      return !stretches.some(({ firstFlush, lastFlush }) => firstFlush <= lastOffset && lastOffset <= lastFlush);
    });
  }
}
