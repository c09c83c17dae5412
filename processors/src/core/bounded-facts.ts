import { LIMITS } from '@playhead/schemas';

/** The parts of a session's summary that are bounded: what comes when they are full is left out. */
export class BoundedFacts {
  readonly #pages = new Set<string>();
  readonly #windows = new Set<string>();
  readonly #facts = new Map<string, string>();

  /** In order of first appearance. Bound: LIMITS.pagesMax. */
  get pages(): readonly string[] {
    return [...this.#pages];
  }

  /** Bound: LIMITS.windowsMax. */
  get windows(): readonly string[] {
    return [...this.#windows];
  }

  /** The latest value of each. Bound: LIMITS.factsMax. */
  get facts(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#facts);
  }

  addPage(url: string | undefined): void {
    if (url && this.#pages.size < LIMITS.pagesMax) this.#pages.add(url.slice(0, LIMITS.factCharsMax));
  }

  addWindow(windowId: string): void {
    if (this.#windows.size < LIMITS.windowsMax) this.#windows.add(windowId);
  }

  addFacts(facts: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(facts)) {
      if (this.#facts.has(name) || this.#facts.size < LIMITS.factsMax) this.#facts.set(name, value);
    }
  }
}
