/** Who waits for which session; never more than `placesMax` in all. Who is let out has left: nobody is let out twice. */
export class WaitingRoom<T> {
  readonly #placesMax: number;
  readonly #waiting = new Map<string, Set<T>>();
  #taken = 0;

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  /** Places taken. */
  get taken(): number {
    return this.#taken;
  }

  /** False, and nothing has changed, when there is no room. `who` is not in here. */
  enter(key: string, who: T): boolean {
    if (this.#taken >= this.#placesMax) return false;
    const group = this.#waiting.get(key) ?? new Set<T>();
    group.add(who);
    this.#waiting.set(key, group);
    this.#taken += 1;
    return true;
  }

  /** Frees a place before its time; does nothing for one who has left. */
  leave(key: string, who: T): void {
    const group = this.#waiting.get(key);
    if (!group?.delete(who)) return;
    this.#taken -= 1;
    if (group.size === 0) this.#waiting.delete(key);
  }

  /** Lets out all who wait for a session. */
  call(key: string): T[] {
    const called = [...(this.#waiting.get(key) ?? [])];
    this.#waiting.delete(key);
    this.#taken -= called.length;
    return called;
  }

  /** Lets out everybody. */
  callAll(): T[] {
    return [...this.#waiting.keys()].flatMap((key) => this.call(key));
  }
}
