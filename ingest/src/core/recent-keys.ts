/** A set that holds the most recently used keys, at most `keysMax` of them. What it forgets is only learnt again. */
export class RecentKeys {
  readonly #keysMax: number;
  /** In order of use: the first is the next to go. */
  readonly #keys = new Set<string>();

  constructor(keysMax: number) {
    if (!(keysMax >= 1)) throw new RangeError(`keysMax is ${keysMax}`);
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#keys.size;
  }

  add(key: string): void {
    this.#keys.delete(key);
    this.#keys.add(key);
    if (this.#keys.size <= this.#keysMax) return;
    const [oldest] = this.#keys;
    if (oldest !== undefined) this.#keys.delete(oldest);
  }

  /** Asking counts as use. */
  has(key: string): boolean {
    if (!this.#keys.has(key)) return false;
    this.add(key);
    return true;
  }
}
