interface Event {
  readonly dueMs: number;
  readonly ticket: number;
  run: (() => void) | null;
}

/** Turns of the event loop before time moves on: drivers that let others go first (`setImmediate`) get along in no time. */
const TURNS_BEFORE_TIME_MOVES = 4;

/** So many events in one ms are a loop that never sleeps. */
const EVENTS_PER_MS_MAX = 20_000;

/**
 * The only clock of a run. Time moves from event to event and stands still while code runs, so a run depends on nothing but
 * the order of events: by time, then by who asked first.
 */
export class VirtualTime {
  #nowMs: number;
  #tickets = 0;
  #events: Event[] = [];
  #waiting = 0;

  /** @param startMs Unix ms */
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Calls `run` after `ms`, rounded up to whole ms; the answer cancels it. */
  after(ms: number, run: () => void): () => void {
    const event: Event = { dueMs: this.#nowMs + Math.max(0, Math.ceil(ms)), ticket: this.#tickets++, run };
    push(this.#events, event);
    this.#waiting++;
    return () => {
      if (event.run === null) return;
      event.run = null;
      this.#waiting--;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /**
   * Lets time pass until the condition holds (true), or until `limitMs` (false).
   *
   * @throws {Error} when something happens again and again without time going on
   */
  async pass(until: () => boolean, limitMs: number): Promise<boolean> {
    let atThisMs = 0;
    while (!until()) {
      const event = pop(this.#events);
      if (event === undefined) return false;
      if (event.dueMs > limitMs) {
        push(this.#events, event);
        this.#nowMs = limitMs;
        return false;
      }
      if (event.run === null) continue;
      atThisMs = event.dueMs > this.#nowMs ? 0 : atThisMs + 1;
      if (atThisMs > EVENTS_PER_MS_MAX) throw new Error(`time stands still at ${this.#nowMs}: ${String(event.run)}`);
      if (event.dueMs > this.#nowMs) for (let i = 1; i < TURNS_BEFORE_TIME_MOVES; i++) await turn();
      this.#nowMs = Math.max(this.#nowMs, event.dueMs);
      const { run } = event;
      // Cancelled in those turns.
      if (run === null) continue;
      event.run = null;
      this.#waiting--;
      run();
      await turn();
    }
    return true;
  }
}

/** One turn of the event loop: every promise that can go on has gone on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Event, b: Event): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.ticket < b.ticket);
}

/** A binary heap, the earliest event first. */
function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || isBefore(above, event)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const [first] = heap;
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    let below = heap[child];
    const right = heap[child + 1];
    if (below !== undefined && right !== undefined && isBefore(right, below)) {
      below = right;
      child++;
    }
    if (below === undefined || isBefore(last, below)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return first;
}
