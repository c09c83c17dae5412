import type { Offset, PositionedFrame, UploadIdentity } from '@playhead/schemas';
import { encodeBlock, formatPosition, Marks, NO_OFFSET, toOffset } from '@playhead/schemas';
import type { Ask, BlockRef, Handover, Input, Outgoing, Step, UploadInLog } from '../src/handover/core/handover.ts';
import { nextAsk } from '../src/handover/core/handover.ts';
import { step } from '../src/handover/core/transitions.ts';

/** A record of the partition: an upload of the watched session, or somebody else's. */
interface Entry {
  readonly offset: Offset;
  readonly upload: (UploadIdentity & { readonly frames: number }) | null;
}

interface Flushed {
  readonly end: Offset;
  readonly block: BlockRef | null;
}

/** One partition with its log, compactor, catalog and shared window, as plain data: the surroundings of a handover. */
export class World {
  readonly entries: Entry[] = [];
  readonly flushes: Flushed[] = [];
  /** How many flushes the catalog has taken over. */
  applied = 0;
  /** Of which flushes (by index, `behind` excluded) each merged block is. */
  readonly merges: { readonly from: number; readonly behind: number; readonly block: BlockRef }[] = [];
  /** What the log still holds. */
  first = toOffset(0);
  next = toOffset(0);
  /** The shared window; null while nobody has begun it. */
  window: { lostTo: Offset; next: Offset } | null = null;
  readonly #marks = new Marks();

  /** @param hole leaves an offset without a record behind this one */
  append(upload: Entry['upload'], hole: boolean): void {
    this.entries.push({ offset: this.next, upload });
    this.next = toOffset(this.next + (hole ? 2 : 1));
  }

  /** One compaction step over everything that is not flushed. */
  flush(): void {
    const last = this.entries.at(-1)?.offset ?? NO_OFFSET;
    const chainEnd = this.chainEnd;
    if (last <= chainEnd) return;
    const added = new Marks();
    const frames: PositionedFrame[] = [];
    const mine = this.entries.filter((entry) => entry.offset > chainEnd && entry.upload !== null);
    for (const { offset, upload } of mine) {
      if (upload === null || !this.#marks.accept(upload)) continue;
      added.accept(upload);
      frames.push(...framesOf(offset, upload));
    }
    const encoded = frames.length === 0 ? null : encodeBlock(frames, (raw) => raw);
    const block: BlockRef = {
      objectKey: `o${last}`,
      blockOffset: 0,
      blockLength: encoded?.bytes.length ?? 0,
      firstOffset: mine[0]?.offset ?? last,
      lastOffset: mine.at(-1)?.offset ?? last,
      flushLastOffset: last,
      lastReceivedAtMs: 1,
      marks: added.encode(),
      frameIndex: encoded?.frameIndex ?? new Uint8Array(),
    };
    this.flushes.push({ end: last, block: mine.length === 0 ? null : block });
    this.#objects.set(block.objectKey, frames);
  }

  readonly #objects = new Map<string, readonly PositionedFrame[]>();

  /** Blocks of the next flushes that no merge replaces, as one. The catalog knows at once. */
  merge(flushes: number): void {
    const from = this.merges.at(-1)?.behind ?? 0;
    const behind = Math.min(this.applied, from + flushes);
    const blocks = this.flushes.slice(from, behind).flatMap(({ block }) => block ?? []);
    const [first, last] = [blocks[0], blocks.at(-1)];
    if (first === undefined || last === undefined) return;
    const frames = blocks.flatMap(({ objectKey }) => this.#objects.get(objectKey) ?? []);
    const encoded = frames.length === 0 ? null : encodeBlock(frames, (raw) => raw);
    const marks = new Marks();
    for (const block of blocks) marks.merge(Marks.decode(block.marks));
    const block: BlockRef = {
      ...last,
      objectKey: `m${last.flushLastOffset}`,
      blockLength: encoded?.bytes.length ?? 0,
      firstOffset: first.firstOffset,
      marks: marks.encode(),
      frameIndex: encoded?.frameIndex ?? new Uint8Array(),
    };
    this.merges.push({ from, behind, block });
    this.#objects.set(block.objectKey, frames);
  }

  /** Objects of blocks that a merge replaced are removed. */
  sweep(): void {
    for (const { block } of this.flushes.slice(0, this.merges.at(-1)?.behind ?? 0))
      if (block !== null) this.#objects.delete(block.objectKey);
  }

  get chainEnd(): Offset {
    return this.flushes.at(-1)?.end ?? NO_OFFSET;
  }

  /** Retention removes what is compacted. */
  trim(): void {
    this.first = toOffset(Math.max(this.first, this.chainEnd + 1));
  }

  /** The window's tail reads one record more. */
  tail(): void {
    if (this.window === null) return;
    if (this.window.next < this.first) this.window = { lostTo: toOffset(this.first - 1), next: this.first };
    const entry = this.entries.find(({ offset }) => this.window !== null && offset >= this.window.next);
    if (entry !== undefined) this.window.next = toOffset(entry.offset + 1);
  }

  /** True when the window's tail has nothing more to read. */
  get isTailed(): boolean {
    const { window } = this;
    return window !== null && !this.entries.some(({ offset }) => offset >= window.next);
  }

  /** The window drops everything that it holds. */
  evict(): void {
    if (this.window !== null) this.window.lostTo = toOffset(this.window.next - 1);
  }

  /** Every acknowledged frame of the session in order, once: what a viewer from the start has to get. */
  expected(): string[] {
    const marks = new Marks();
    return this.entries.flatMap(({ offset, upload }) =>
      upload !== null && marks.accept(upload) ? framesOf(offset, upload).map((frame) => formatPosition(frame.position)) : [],
    );
  }

  /** Does what a handover asks. Null: it has to wait. */
  perform(ask: Ask, handover: Handover): Input | null {
    switch (ask.kind) {
      case 'locate': {
        const known = this.flushes.slice(0, this.applied);
        const unmerged = known.slice(this.merges.at(-1)?.behind ?? 0).flatMap(({ block }) => block ?? []);
        const blocks = [...this.merges.map(({ block }) => block), ...unmerged];
        const behind = this.applied < this.flushes.length;
        return { kind: 'located', chainEnd: known.at(-1)?.end ?? NO_OFFSET, blocks, gaps: [], behind };
      }
      case 'read-block': {
        // Two frames at a time, those that were sent among them: the handover leaves them out.
        const frames = this.#objects.get(ask.block.objectKey)?.filter(({ position }) => position.offset <= ask.through);
        if (frames === undefined) return { kind: 'block-lost' };
        const { cursor } = handover;
        const at = frames.findIndex(
          ({ position }) => position.offset > cursor.offset || (position.offset === cursor.offset && position.index > cursor.index),
        );
        return at === -1 ? { kind: 'block-read' } : { kind: 'frames', frames: frames.slice(Math.max(0, at - 1), at + 2) };
      }
      case 'read-log': {
        this.window ??= { lostTo: ask.after, next: toOffset(ask.after + 1) };
        if (this.window.lostTo <= ask.after) return { kind: 'met' };
        if (ask.after + 1 < this.first) return { kind: 'gone', first: this.first };
        const entry = this.entries.find(({ offset }) => offset > ask.after);
        return entry === undefined ? null : { kind: 'uploads', uploads: uploadsOf(entry), through: entry.offset };
      }
      case 'follow': {
        if (this.window === null || this.window.lostTo > ask.after) return { kind: 'fallen' };
        const { next } = this.window;
        const entry = this.entries.find(({ offset, upload }) => upload !== null && offset > ask.after && offset < next);
        return entry === undefined
          ? { kind: 'edge', through: toOffset(next - 1) }
          : { kind: 'uploads', uploads: uploadsOf(entry), through: entry.offset };
      }
      case 'wait': {
        const { window } = this;
        if (window === null || window.lostTo > ask.after) return { kind: 'woken' };
        const news = this.entries.some(({ offset, upload }) => upload !== null && offset > ask.after && offset < window.next);
        return news || (ask.until !== null && window.next > ask.until) ? { kind: 'woken' } : null;
      }
      case 'drain':
        return { kind: 'drained' };
      case 'stop':
        return null;
      default:
        return ask satisfies never;
    }
  }
}

/** One step of a viewer in the world; false when it has to wait. */
export function advance(world: World, viewer: { handover: Handover; heard: Outgoing[] }): boolean {
  const input = world.perform(nextAsk(viewer.handover), viewer.handover);
  if (input === null) return false;
  take(viewer, step(viewer.handover, input));
  return true;
}

export function take(viewer: { handover: Handover; heard: Outgoing[] }, next: Step): void {
  viewer.handover = next.handover;
  viewer.heard.push(...next.outgoing);
}

/** Positions of the frames that were sent, in order. */
export function sentPositions(heard: readonly Outgoing[]): string[] {
  return heard.flatMap((message) => (message.type === 'frames' ? message.frames.map((frame) => formatPosition(frame.position)) : []));
}

function uploadsOf({ offset, upload }: Entry): UploadInLog[] {
  return upload === null ? [] : [{ ...upload, offset, receivedAtMs: 1, sentAtMs: 1, frames: framesOf(offset, upload) }];
}

function framesOf(offset: Offset, upload: UploadIdentity & { readonly frames: number }): PositionedFrame[] {
  return Array.from({ length: upload.frames }, (_, index) => ({
    position: { offset, index },
    windowId: upload.windowId,
    track: 'signal',
    keyframe: false,
    timestampMs: 1,
    payload: Uint8Array.of(1),
  }));
}
