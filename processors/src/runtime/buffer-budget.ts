/** One partition's share of the buffer. */
export interface BudgetHolder {
  /** Asks the holder to flush. */
  readonly requestFlush: () => void;
  /** Tells the holder that room was made. */
  readonly roomMade: () => void;
}

/**
 * What all partitions of a process hold in memory together. When it is full, the largest holder is asked to flush and the
 * others wait: many small flushes would cost more than one large one. It may be passed by one upload.
 */
export class BufferBudget {
  readonly #bytesMax: number;
  readonly #held = new Map<BudgetHolder, number>();
  #total = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get total(): number {
    return this.#total;
  }

  /** True when `holder` may take one more upload. Otherwise the largest holder has been asked to flush. */
  admits(holder: BudgetHolder): boolean {
    if (this.#total < this.#bytesMax) return true;
    if (!this.#held.has(holder)) this.#held.set(holder, 0);
    this.#askLargest();
    return false;
  }

  /** `holder` holds so many bytes now. */
  set(holder: BudgetHolder, bytes: number): void {
    const before = this.#held.get(holder) ?? 0;
    this.#held.set(holder, bytes);
    this.#change(bytes - before);
  }

  /** `holder` is gone with all that it held. */
  remove(holder: BudgetHolder): void {
    const before = this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
    this.#change(-before);
  }

  #askLargest(): void {
    let largest: BudgetHolder | undefined;
    let most = 0;
    for (const [holder, bytes] of this.#held) {
      if (bytes > most) {
        largest = holder;
        most = bytes;
      }
    }
    largest?.requestFlush();
  }

  #change(bytes: number): void {
    const wasFull = this.#total >= this.#bytesMax;
    this.#total += bytes;
    if (wasFull && this.#total < this.#bytesMax) for (const holder of this.#held.keys()) holder.roomMade();
  }
}
