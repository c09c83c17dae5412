import type { Signal } from '@playhead/schemas';

/** What a phone holds while it cannot send, as the phones' recorders do. */
export const BUNDLES_WAITING_MAX = 50;
export const FRAMES_WAITING_MAX = 500;

export interface WaitingBundle {
  /** The upload's id: the same on every retry. */
  readonly id: string;
  /** Times of its pictures, Unix ms; none when they have arrived already. */
  readonly times: readonly number[];
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A stretch of which something is missing: a signal of kind `gap`. */
export type Gap = Signal & { readonly kind: 'gap'; readonly reason: string; readonly fromMs: number; readonly toMs: number };

function merged(a: Gap, b: Gap): Gap {
  const [frames, bytes] = [(a.frames ?? 0) + (b.frames ?? 0), (a.bytes ?? 0) + (b.bytes ?? 0)];
  const known = frames > 0 ? { frames, bytes } : {};
  return { ...a, fromMs: Math.min(a.fromMs, b.fromMs), toMs: Math.max(a.toMs, b.toMs), ...known };
}

/** The uploads that wait, oldest first, bounded: the oldest bundle goes when there are too many, and is told as a gap. */
export class WaitingUploads {
  #bundles: WaitingBundle[] = [];
  readonly #gaps = new Map<string, Gap>();

  get isEmpty(): boolean {
    return this.#bundles.length === 0 && this.#gaps.size === 0;
  }

  /** Pictures that wait. */
  get frames(): number {
    return this.#bundles.reduce((sum, { times }) => sum + times.length, 0);
  }

  get first(): WaitingBundle | undefined {
    return this.#bundles[0];
  }

  /** Answers how many pictures had to go. */
  add(bundle: WaitingBundle): number {
    this.#bundles.push(bundle);
    let dropped = 0;
    while (this.#bundles.length > BUNDLES_WAITING_MAX || this.frames > FRAMES_WAITING_MAX) {
      const oldest = this.#bundles.shift();
      if (!oldest) break;
      const { times, body } = oldest;
      dropped += times.length;
      if (times.length === 0) continue;
      const missing = { frames: times.length, bytes: body.length, track: 'image' } as const;
      this.miss({ kind: 'gap', reason: 'buffer_full', fromMs: times[0] ?? 0, toMs: times.at(-1) ?? 0, ...missing });
    }
    return dropped;
  }

  /** The first one has arrived. */
  sent(bundle: WaitingBundle): void {
    this.#bundles = this.#bundles.filter((other) => other !== bundle);
  }

  /** Something is missing: one gap for each reason waits to be told, so that they need no bound. */
  miss(gap: Gap): void {
    const there = this.#gaps.get(gap.reason);
    this.#gaps.set(gap.reason, there === undefined ? gap : merged(there, gap));
  }

  /** The gaps to tell. */
  get gaps(): readonly Gap[] {
    return [...this.#gaps.values()];
  }

  /** This one was told. */
  told(gap: Gap): void {
    if (this.#gaps.get(gap.reason) === gap) this.#gaps.delete(gap.reason);
  }
}
