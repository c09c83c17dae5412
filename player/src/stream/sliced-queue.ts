/** A slice of work takes about this long, ms: a frame of the screen has room for it. */
const SLICE_MS = 6;
/** While nobody looks, nothing is disturbed; and browsers call back seldom then. */
const SLICE_HIDDEN_MS = 200;

export interface QueueSurroundings<Item> {
  readonly take: (item: Item) => void;
  /** After each slice. */
  readonly onPause: () => void;
  /** Calls back when the browser has had time for other things. */
  readonly later: (run: () => void) => void;
  readonly now: () => number;
  readonly hidden: () => boolean;
}

/** Work that comes faster than it may be done: done in order, in slices, so that what is on the screen goes on meanwhile. */
export class SlicedQueue<Item> {
  readonly #around: QueueSurroundings<Item>;
  #items: Item[] = [];
  #next = 0;
  #planned = false;
  #closed = false;

  constructor(around: QueueSurroundings<Item>) {
    this.#around = around;
  }

  get isEmpty(): boolean {
    return this.#next >= this.#items.length;
  }

  push(items: readonly Item[]): void {
    if (this.#closed) return;
    for (const item of items) this.#items.push(item);
    this.#plan();
  }

  /** Drops what waits, for good. */
  close(): void {
    this.#closed = true;
    this.#items = [];
    this.#next = 0;
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#around.later(() => this.#slice());
  }

  #slice(): void {
    this.#planned = false;
    if (this.#closed) return;
    const { take, onPause, now, hidden } = this.#around;
    const endsMs = now() + (hidden() ? SLICE_HIDDEN_MS : SLICE_MS);
    while (!this.isEmpty) {
      take(this.#items[this.#next++] as Item);
      if (now() >= endsMs) break;
    }
    if (this.isEmpty) {
      this.#items = [];
      this.#next = 0;
    }
    onPause();
    if (!this.isEmpty) this.#plan();
  }
}
