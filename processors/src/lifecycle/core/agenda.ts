const SECOND_MS = 1_000;

/** Items by when each is to be looked at next, to the second: so that a look costs what has come, and not what is there. */
export class Agenda<Item> {
  readonly #seconds = new Map<number, Set<Item>>();
  readonly #secondOf = new Map<Item, number>();

  /** Is looked at when `atMs` has come, or up to a second before; what was said of the item before is forgotten. */
  put(item: Item, atMs: number): void {
    this.drop(item);
    const second = Math.floor(atMs / SECOND_MS);
    const items = this.#seconds.get(second) ?? new Set();
    this.#seconds.set(second, items.add(item));
    this.#secondOf.set(item, second);
  }

  drop(item: Item): void {
    const second = this.#secondOf.get(item);
    if (second === undefined) return;
    this.#secondOf.delete(item);
    const items = this.#seconds.get(second);
    items?.delete(item);
    if (items?.size === 0) this.#seconds.delete(second);
  }

  /** What has come by `atMs`. It is off the agenda. */
  take(atMs: number): readonly Item[] {
    const taken: Item[] = [];
    for (const [second, items] of this.#seconds) {
      if (second * SECOND_MS > atMs) continue;
      this.#seconds.delete(second);
      for (const item of items) {
        this.#secondOf.delete(item);
        taken.push(item);
      }
    }
    return taken;
  }
}
